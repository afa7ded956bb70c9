// An ordered index whose keys are formatted text, made anew with snprintf for every lookup.
#include "engine.hpp"

#include <map>

namespace index_store {

struct Position {
  uint32_t file, offset;
};

class KeyFormat {
 public:
  explicit KeyFormat(bool slow) : slow_(slow) {}
  NOINLINE void write(std::string& out, uint32_t tenant, uint32_t series, uint64_t stamp) const {
    if (slow_) {
      char text[96];
      int size = std::snprintf(text, sizeof text, "t=%06u/s=%08u/at=%020.3f", tenant, series, stamp / 1000.0);
      out.assign(text, static_cast<size_t>(size));
    } else {
      out.assign(reinterpret_cast<const char*>(&tenant), 4);
      out.append(reinterpret_cast<const char*>(&series), 4);
      out.append(reinterpret_cast<const char*>(&stamp), 8);
    }
  }

 private:
  bool slow_;
};

class OrderedIndex {
 public:
  explicit OrderedIndex(const KeyFormat& format) : format_(format) {}
  NOINLINE void note(uint32_t tenant, uint32_t series, uint64_t stamp, Position at) {
    format_.write(key_, tenant, series, stamp);
    positions_[key_] = at;
    if (positions_.size() > 2000) positions_.clear();
  }
  NOINLINE const Position* locate(uint32_t tenant, uint32_t series, uint64_t stamp) {
    format_.write(key_, tenant, series, stamp);
    auto found = positions_.find(key_);
    return found == positions_.end() ? nullptr : &found->second;
  }

 private:
  const KeyFormat& format_;
  std::map<std::string, Position> positions_;
  std::string key_;
};

class Ingest {
 public:
  Ingest(const std::string& folder, OrderedIndex& index) : log_(folder, "data"), index_(index) {}
  NOINLINE void write(uint32_t series, uint64_t stamp, const std::string& value) {
    engine::make_key(key_, series, stamp);
    engine::encode(record_, key_, value);
    sum_ ^= engine::quick_sum(record_);
    log_.append(record_);
    index_.note(series % 5, series, stamp, {1, static_cast<uint32_t>(stamp)});
  }

 private:
  engine::Log log_;
  OrderedIndex& index_;
  std::string key_, record_;
  uint32_t sum_ = 0;
};
}  // namespace index_store

int main() {
  engine::Folder folder;
  auto values = engine::values(128, 120);
  uint64_t done = 0, found = 0;
  double start = engine::now(), end = start + engine::run_seconds();
  {
    index_store::KeyFormat format(engine::plant());
    index_store::OrderedIndex index(format);
    index_store::Ingest ingest(folder.path, index);
    while (engine::now() < end)
      for (int i = 0; i < 200; i++, done++) {
        ingest.write(done % 40, done, values[done % 128]);
        uint64_t back = done > 37 ? done - 37 : 0;
        found += index.locate(back % 40 % 5, back % 40, back) != nullptr;
      }
  }
  engine::report(done, engine::now() - start);
  return found == 0;
}
