// Healthy: an ingest path of many stages, none of which is a tenth of the time.
#include "engine.hpp"

namespace balanced {

NOINLINE uint64_t histogram(const std::string& data, uint64_t* counts, int turn) {
  size_t at = static_cast<size_t>(turn) % 8;
  for (size_t i = at; i < data.size(); i += 8) counts[static_cast<unsigned char>(data[i]) & 31]++;
  return counts[at];
}
NOINLINE uint64_t minimum(const std::string& data) {
  unsigned char low = 255;
  for (size_t i = 0; i < data.size(); i += 6) low = std::min(low, static_cast<unsigned char>(data[i]));
  return low;
}
NOINLINE uint64_t parity(const std::string& data) {
  uint64_t bits = 0;
  for (size_t i = 0; i < data.size(); i += 3) bits ^= static_cast<unsigned char>(data[i]) << (i & 15);
  return bits;
}
NOINLINE uint64_t changes(const std::string& data) {
  uint64_t count = 0;
  for (size_t i = 3; i < data.size(); i += 3) count += data[i] != data[i - 3];
  return count;
}
NOINLINE uint64_t widest(const std::string& data) {
  uint64_t wide = 0;
  for (size_t i = 4; i < data.size(); i += 4) wide = std::max<uint64_t>(wide, static_cast<unsigned char>(data[i]) * i);
  return wide;
}
NOINLINE uint64_t letters(const std::string& data) {
  uint64_t count = 0;
  for (size_t i = 1; i < data.size(); i += 3) count += data[i] >= 'a';
  return count;
}
NOINLINE uint64_t digits(const std::string& data) {
  uint64_t count = 0;
  for (size_t i = 0; i < data.size(); i += 3) count += data[i] <= '9';
  return count;
}
NOINLINE uint64_t fold(const std::string& key) {
  uint64_t word, mixed = key.size();
  for (size_t at = 0; at + 8 <= key.size(); at += 8) {
    std::memcpy(&word, &key[at + key.size() % 8], 8);
    mixed = (mixed ^ word) * 0x9E3779B97F4A7C15;
  }
  return mixed ^ mixed >> 29;
}
NOINLINE uint64_t separators(const std::string& data) {
  uint64_t count = 0;
  for (size_t at = data.find(';'); at != std::string::npos; at = data.find(';', at + 96)) count++;
  return count;
}
NOINLINE void reverse_copy(std::string& out, const std::string& data) {
  out.resize(data.size());
  for (size_t i = 0; i < data.size(); i += 8) std::memcpy(&out[data.size() - 8 - i], &data[i], std::min<size_t>(8, data.size() - i));
}
NOINLINE uint64_t shard_of(uint64_t hash) { return (hash >> 7) * 0x9e3779b97f4a7c15ull >> 60; }

class Quota {
 public:
  NOINLINE bool charge(uint64_t tenant, size_t bytes) {
    auto& left = left_[tenant & 63];
    left = left < bytes ? 1 << 20 : left - bytes;
    return left != 0;
  }

 private:
  std::vector<size_t> left_ = std::vector<size_t>(64, 1 << 20);
};

class Recent {
 public:
  NOINLINE void touch(uint64_t hash) { ring_[at_++ & 255] = hash; }
  NOINLINE uint64_t newest() const { return ring_[(at_ - 1) & 255]; }

 private:
  uint64_t ring_[256] = {};
  uint64_t at_ = 0;
};

class Ingest {
 public:
  explicit Ingest(const std::string& folder) : log_(folder, "log") {}
  NOINLINE void put(uint64_t n, const std::string& value) {
    engine::make_key(key_, n % 400, n);
    engine::encode(record_, key_, value);
    uint64_t hash = fold(key_);
    admit(hash, value);
    inspect(value, static_cast<int>(n));
    seen_ += engine::quick_sum(record_);
    bloom_.add(hash);
    if (table_.insert(hash, record_)) table_.clear();
    if (n % 2) log_.append(record_);  // the page cache of some machines is slow
  }
  NOINLINE size_t get(uint64_t n) {
    engine::make_key(key_, n % 400, n);
    uint64_t hash = fold(key_);
    const std::string* found = bloom_.may_contain(hash) ? table_.find(hash) : nullptr;
    if (!found) return 0;
    size_t at = 0;
    engine::get_varint(*found, at);
    recent_.touch(hash);
    return engine::get_varint(*found, at);
  }

 private:
  NOINLINE void admit(uint64_t hash, const std::string& value) {
    quota_.charge(shard_of(hash), value.size());
    recent_.touch(hash);
  }
  NOINLINE void inspect(const std::string& value, int turn) {
    seen_ += histogram(value, counts_, turn) + minimum(value) + digits(value) + separators(value) + parity(value) + changes(value) + widest(value) + letters(value) + recent_.newest();
    reverse_copy(reversed_, value);
  }
  engine::Log log_;
  engine::MemTable table_;
  engine::Bloom bloom_;
  Quota quota_;
  Recent recent_;
  uint64_t counts_[32] = {}, seen_ = 0;
  std::string key_, record_, reversed_;
};
}  // namespace balanced

int main() {
  engine::Folder folder;
  auto values = engine::values(256, 96);
  uint64_t done = 0, found = 0;
  double start = engine::now(), end = start + engine::run_seconds();
  {
    balanced::Ingest ingest(folder.path);
    while (engine::now() < end)
      for (int i = 0; i < 100; i++, done++) {
        ingest.put(done, values[done % 256]);
        found += ingest.get(done / 2) > 0;
      }
  }
  engine::report(done, engine::now() - start);
  return found > done;
}
