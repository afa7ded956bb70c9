// Parts of a small record store that the planted C++ programs share; no plant in here.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

namespace engine {

inline bool plant() {
  const char* given = std::getenv("PLANT");
  return !given || std::string(given) != "0";
}
inline double run_seconds() {
  const char* given = std::getenv("RUN_SECONDS");
  return given ? std::atof(given) : 8.0;
}
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
inline void report(uint64_t operations, double seconds) {
  std::printf("ops=%llu seconds=%.3f\n", static_cast<unsigned long long>(operations), seconds);
  std::fflush(stdout);
}

struct Folder {
  std::string path;
  Folder() {
    char name[] = "./data-XXXXXX";
    path = mkdtemp(name) ? name : ".";
  }
  ~Folder() { rmdir(path.c_str()); }
};

NOINLINE inline uint64_t hash_of(const std::string& key) {
  uint64_t hash = 1469598103934665603ull ^ key.size(), word = 0;
  size_t at = 0;
  for (; at + 8 <= key.size(); at += 8) {
    std::memcpy(&word, key.data() + at, 8);
    hash = (hash ^ word) * 0xff51afd7ed558ccdull;
    hash ^= hash >> 29;
  }
  std::memcpy(&word, key.data() + at, key.size() - at);
  return (hash ^ word) * 1099511628211ull;
}

NOINLINE inline void make_key(std::string& out, uint64_t series, uint64_t stamp) {
  series = __builtin_bswap64(series), stamp = __builtin_bswap64(stamp);
  if (out.size() != 19) out.assign(19, 's');
  std::memcpy(out.data() + 3, &series, 8);
  std::memcpy(out.data() + 11, &stamp, 8);
}

NOINLINE inline void put_varint(std::string& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out.push_back(static_cast<char>(value | 128));
  out.push_back(static_cast<char>(value));
}

NOINLINE inline uint64_t get_varint(const std::string& in, size_t& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    auto byte = static_cast<unsigned char>(in[at++]);
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
}

NOINLINE inline uint32_t quick_sum(const std::string& data) {
  uint64_t sum = data.size();
  size_t at = 0;
  for (uint64_t word; at + 8 <= data.size(); at += 8) {
    std::memcpy(&word, data.data() + at, 8);
    sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
  }
  return static_cast<uint32_t>(sum >> 32);
}

NOINLINE inline void encode(std::string& out, const std::string& key, const std::string& value) {
  out.clear();
  put_varint(out, key.size());
  put_varint(out, value.size());
  out.append(key);
  out.append(value);
}

// Open addressing over a fixed number of slots; a full table starts again.
class MemTable {
 public:
  explicit MemTable(size_t slots = 8192) : slots_(slots) {}
  NOINLINE bool insert(uint64_t hash, const std::string& record) {
    Slot& slot = slots_[place(hash)];
    used_ += slot.hash == 0;
    slot.hash = hash;
    slot.record.assign(record);
    return used_ * 2 > slots_.size();
  }
  NOINLINE const std::string* find(uint64_t hash) const {
    const Slot& slot = slots_[place(hash)];
    return slot.hash == hash ? &slot.record : nullptr;
  }
  NOINLINE void clear() {
    for (auto& slot : slots_) slot.hash = 0;
    used_ = 0;
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    std::string record;
  };
  NOINLINE size_t place(uint64_t hash) const {
    size_t at = hash & (slots_.size() - 1);  // a power of two
    for (int step = 0; step < 8 && slots_[at].hash && slots_[at].hash != hash; step++) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  std::vector<Slot> slots_;
  size_t used_ = 0;
};

class Bloom {
 public:
  NOINLINE void add(uint64_t hash) {
    for (int i = 0; i < 4; i++, hash = hash * 0x9e3779b97f4a7c15ull + 1) words_[hash >> 52] |= 1ull << (hash & 63);
  }
  NOINLINE bool may_contain(uint64_t hash) const {
    for (int i = 0; i < 4; i++, hash = hash * 0x9e3779b97f4a7c15ull + 1)
      if (!(words_[hash >> 52] >> (hash & 63) & 1)) return false;
    return true;
  }

 private:
  std::vector<uint64_t> words_ = std::vector<uint64_t>(4096);
};

// An append-only file, buffered; starts over at 16 MB.
class Log {
 public:
  Log(const std::string& folder, const char* name) : path_(folder + "/" + name) {
    fd_ = open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR, 0644);
  }
  ~Log() {
    close(fd_);
    unlink(path_.c_str());
  }
  NOINLINE void append(const std::string& record) {
    buffer_.append(record);
    if (buffer_.size() >= 1 << 16) write_out();
  }
  NOINLINE void write_out() {
    if (pwrite(fd_, buffer_.data(), buffer_.size(), at_) < 0) std::perror("log");
    at_ = (at_ + static_cast<off_t>(buffer_.size())) % (16 << 20);
    buffer_.clear();
  }
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_, buffer_;
  int fd_;
  off_t at_ = 0;
};

inline std::vector<std::string> values(size_t count, size_t size) {
  std::vector<std::string> out(count);
  uint64_t state = 88172645463325252ull;
  for (auto& value : out)
    while (value.size() < size) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      value.push_back("abcdefghij0123456789:;,."[state % 24]);
    }
  return out;
}

}  // namespace engine
