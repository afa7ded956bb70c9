// A store with probes whose reads scan the run from its beginning instead of searching it.
#include "engine.hpp"

#include <storeprof/profile.hpp>

namespace runs {

struct Entry {
  uint64_t hash;
  uint32_t length;
};

class SortedRun {
 public:
  SortedRun() {
    for (uint64_t i = 0; i < 8000; i++) entries_.push_back({i << 51 | i, static_cast<uint32_t>(i)});
  }
  NOINLINE const Entry* scan(uint64_t hash) const {
    for (const auto& entry : entries_)
      if (entry.hash >= hash) return &entry;
    return nullptr;
  }
  NOINLINE const Entry* search(uint64_t hash) const {
    auto at = std::lower_bound(entries_.begin(), entries_.end(), hash, [](const Entry& e, uint64_t h) { return e.hash < h; });
    return at == entries_.end() ? nullptr : &*at;
  }

 private:
  std::vector<Entry> entries_;
};

class Store {
 public:
  explicit Store(const std::string& folder) : log_(folder, "log"), scans_(engine::plant()) {}
  NOINLINE void put(uint64_t n, const std::string& value) {
    PROFILE_OPERATION("Store.put");
    engine::make_key(key_, n % 300, n);
    {
      PROFILE_SCOPE("encode");
      engine::encode(record_, key_, value);
      for (int copy = 0; copy < 8; copy++) sum_ += engine::quick_sum(record_) ^ engine::hash_of(key_);
    }
    uint64_t hash = engine::hash_of(key_);
    bloom_.add(hash);
    if (table_.insert(hash, record_)) table_.clear();
    log_.append(record_);
  }
  NOINLINE uint32_t get(uint64_t n) {
    PROFILE_OPERATION("Store.get");
    engine::make_key(key_, n % 300, n);
    uint64_t hash = engine::hash_of(key_);
    if (const std::string* found = table_.find(hash)) return engine::quick_sum(*found);
    const Entry* entry = scans_ ? run_.scan(hash) : run_.search(hash);
    return entry ? entry->length : 0;
  }

 private:
  engine::Log log_;
  SortedRun run_;
  bool scans_;
  engine::MemTable table_;
  engine::Bloom bloom_;
  std::string key_, record_;
  uint64_t sum_ = 0;
};
}  // namespace runs

int main() {
  engine::Folder folder;
  auto values = engine::values(256, 150);
  uint64_t done = 0, sum = 0;
  double start = engine::now(), end = start + engine::run_seconds();
  {
    runs::Store store(folder.path);
    while (engine::now() < end)
      for (int i = 0; i < 100; i++, done++) {
        if (done % 2)
          store.put(done, values[done % 256]);
        else
          sum += store.get(done * 7919);
      }
  }
  engine::report(done, engine::now() - start);
  return sum == 0;
}
