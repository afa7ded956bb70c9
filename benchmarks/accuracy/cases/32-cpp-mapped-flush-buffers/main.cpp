// Log-structured store in C++: every flush maps a fresh buffer for the sorted run and unmaps it when the run is written.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))

namespace kv {

static bool plant() {
  const char* v = std::getenv("PLANT");
  return !v || std::string(v) != "0";
}
static double run_seconds() {
  const char* v = std::getenv("RUN_SECONDS");
  return v ? std::atof(v) : 8.0;
}
static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr size_t kRun = 4 << 20;

struct Row {
  uint64_t hash;
  uint32_t key, size;
};

// Where the rows of a run are laid out before they are handed to the file.
class RunBuffer {
 public:
  RunBuffer() : reuse_(!plant()) { open(); }
  ~RunBuffer() { munmap(data_, kRun); }
  NOINLINE void append(const void* bytes, size_t size) {
    std::memcpy(data_ + used_, bytes, size);
    used_ += size;
  }
  NOINLINE uint64_t seal() {
    uint64_t sum = 0;
    for (size_t i = 0; i < used_; i += 64) sum += uint8_t(data_[i]);
    used_ = 0;
    if (!reuse_) {
      munmap(data_, kRun);
      open();
    }
    return sum;
  }
  bool has_room(size_t size) const { return used_ + size <= kRun; }

 private:
  void open() {
    data_ = static_cast<char*>(mmap(nullptr, kRun, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (data_ == MAP_FAILED) std::abort();
  }
  char* data_ = nullptr;
  size_t used_ = 0;
  bool reuse_;
};

class MemTable {
 public:
  explicit MemTable(size_t limit) : limit_(limit) { rows_.reserve(limit); }
  NOINLINE void insert(uint32_t key, uint64_t hash, uint32_t size) { rows_.push_back({hash, key, size}); }
  NOINLINE void order() {
    std::sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.hash < b.hash; });
  }
  bool full() const { return rows_.size() >= limit_; }
  std::vector<Row>& rows() { return rows_; }

 private:
  size_t limit_;
  std::vector<Row> rows_;
};

class Bloom {
 public:
  NOINLINE void add(uint64_t h) {
    for (int i = 0; i < 4; i++, h = h * 0x9e3779b97f4a7c15ull + 1) words_[h >> 54] |= 1ull << (h & 63);
  }

 private:
  uint64_t words_[1024] = {};
};

NOINLINE uint64_t hash_value(const std::string& value) {
  uint64_t h = 0x9e3779b97f4a7c15ull;
  for (size_t i = 0; i + 8 <= value.size(); i += 8) {
    uint64_t w;
    std::memcpy(&w, value.data() + i, 8);
    h = (h ^ w) * 0x100000001b3ull;
    h ^= h >> 29;
  }
  return h;
}

class Store {
 public:
  Store() : table_(8192) {}
  NOINLINE void put(uint32_t key, const std::string& value) {
    uint64_t hash = hash_value(value) ^ key * 0x9e3779b97f4a7c15ull;
    bloom_.add(hash);
    table_.insert(key, hash, uint32_t(value.size()));
    keep(key, value);
    if (table_.full()) {
      table_.order();
      table_.rows().clear();
    }
  }
  uint64_t sealed() const { return sealed_; }

 private:
  NOINLINE void keep(uint32_t key, const std::string& value) {
    if (!buffer_.has_room(value.size() + 8)) sealed_ += buffer_.seal();
    uint32_t header[2] = {key, uint32_t(value.size())};
    buffer_.append(header, sizeof header);
    buffer_.append(value.data(), value.size());
  }
  MemTable table_;
  Bloom bloom_;
  RunBuffer buffer_;
  uint64_t sealed_ = 0;
};

}  // namespace kv

int main() {
  using namespace kv;
  std::mt19937 rng(7);
  std::vector<std::string> values(256);
  for (auto& v : values)
    for (size_t i = 0; i < 800; i++) v.push_back(char('a' + rng() % 26));
  Store store;
  double start = now(), end = start + run_seconds();
  uint64_t n = 0;
  while (now() < end)
    for (int i = 0; i < 200; i++, n++) store.put(uint32_t(n * 2654435761u), values[n & 255]);
  std::printf("ops=%llu seconds=%.3f\n", (unsigned long long)n, now() - start);
  return store.sealed() == 1;
}
