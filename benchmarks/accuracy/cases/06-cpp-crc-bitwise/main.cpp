// A log store that computes its CRC bit by bit.
#include "engine.hpp"

namespace logstore {
using engine::MemTable;

NOINLINE uint32_t crc32_bitwise(const std::string& data) {
  uint32_t crc = ~0u;
  for (unsigned char byte : data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

class Segment {
 public:
  explicit Segment(const std::string& folder) : log_(folder, "segment"), bitwise_(engine::plant()) {}
  NOINLINE void append(const std::string& record) {
    uint32_t sum = bitwise_ ? crc32_bitwise(record) : engine::quick_sum(record);
    framed_.assign(reinterpret_cast<const char*>(&sum), 4);
    framed_.append(record);
    log_.append(framed_);
  }

 private:
  engine::Log log_;
  std::string framed_;
  bool bitwise_;
};

class LogStore {
 public:
  explicit LogStore(const std::string& folder) : segment_(folder) {}
  NOINLINE void put(uint64_t series, uint64_t stamp, const std::string& value) {
    engine::make_key(key_, series, stamp);
    engine::encode(record_, key_, value);
    segment_.append(record_);
    uint64_t hash = engine::hash_of(key_);
    bloom_.add(hash);
    if (table_.insert(hash, record_)) table_.clear();
  }
  NOINLINE size_t get(uint64_t series, uint64_t stamp) {
    engine::make_key(key_, series, stamp);
    uint64_t hash = engine::hash_of(key_);
    const std::string* found = bloom_.may_contain(hash) ? table_.find(hash) : nullptr;
    size_t at = 0;
    return found ? engine::get_varint(*found, at) : 0;
  }

 private:
  Segment segment_;
  MemTable table_;
  engine::Bloom bloom_;
  std::string key_, record_;
};
}  // namespace logstore

int main() {
  engine::Folder folder;
  auto values = engine::values(256, 160);
  uint64_t done = 0, found = 0;
  double start = engine::now(), end = start + engine::run_seconds();
  {
    logstore::LogStore store(folder.path);
    while (engine::now() < end)
      for (int i = 0; i < 100; i++, done++) {
        store.put(done % 300, done / 300, values[done % 256]);
        for (uint64_t back = 1; back < 12; back++) found += store.get((done + back) % 300, done / 300 - back % 3);
      }
  }
  engine::report(done, engine::now() - start);
  return found == 0;
}
