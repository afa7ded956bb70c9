// Readers of a version set wait while a compaction merges under the exclusive side of its lock.
#include "engine.hpp"

#include <iterator>
#include <memory>
#include <mutex>
#include <shared_mutex>

namespace lsm {

struct Table {
  std::vector<std::pair<uint64_t, std::string>> rows;
};

class VersionSet {
 public:
  explicit VersionSet(const std::vector<std::string>& values) : exclusive_(engine::plant()) {
    for (int n = 0; n < 4; n++) tables_.push_back(make_table(n, values));
  }

  NOINLINE size_t read(uint64_t key) {
    auto tables = snapshot();
    size_t size = 0;
    for (const auto& table : tables) size += probe(*table, key);
    return size;
  }

  NOINLINE void compact() {
    if (exclusive_) {
      std::unique_lock<std::shared_mutex> hold(lock_);
      tables_.back() = merge(*tables_[0], *tables_[1]);
    } else {
      std::shared_ptr<Table> left, right;
      {
        std::shared_lock<std::shared_mutex> hold(lock_);
        left = tables_[0], right = tables_[1];
      }
      auto merged = merge(*left, *right);
      std::unique_lock<std::shared_mutex> hold(lock_);
      tables_.back() = merged;
    }
  }

 private:
  NOINLINE std::vector<std::shared_ptr<Table>> snapshot() {
    std::shared_lock<std::shared_mutex> hold(lock_);
    return tables_;
  }
  NOINLINE static std::shared_ptr<Table> make_table(int seed, const std::vector<std::string>& values) {
    auto table = std::make_shared<Table>();
    for (uint64_t i = 0; i < 12000; i++) table->rows.emplace_back(i * 4 + seed, values[i % values.size()]);
    return table;
  }
  NOINLINE static size_t probe(const Table& table, uint64_t key) {
    auto at = std::lower_bound(table.rows.begin(), table.rows.end(), key, [](const auto& row, uint64_t k) { return row.first < k; });
    return at == table.rows.end() ? 0 : engine::quick_sum(at->second) & 7;
  }
  NOINLINE static std::shared_ptr<Table> merge(const Table& a, const Table& b) {
    auto out = std::make_shared<Table>();
    std::merge(a.rows.begin(), a.rows.end(), b.rows.begin(), b.rows.end(), std::back_inserter(out->rows));
    std::string record;
    for (auto& row : out->rows) {
      engine::encode(record, row.second, row.second);
      row.first += engine::quick_sum(record) & 1;
    }
    return out;
  }

  std::shared_mutex lock_;
  std::vector<std::shared_ptr<Table>> tables_;
  bool exclusive_;
};
}  // namespace lsm

int main() {
  auto values = engine::values(256, 64);
  lsm::VersionSet versions(values);
  std::atomic<uint64_t> done{0}, size{0};
  double start = engine::now(), end = start + engine::run_seconds();
  std::thread reader([&] {
    std::string key;
    for (uint64_t n = 0; engine::now() < end; n++) {
      for (int i = 0; i < 8; i++) {
        engine::make_key(key, n, static_cast<uint64_t>(i));
        size += versions.read(engine::hash_of(key) % 48000);
      }
      done += 8;
    }
  });
  std::thread compaction([&] {
    while (engine::now() < end) {
      versions.compact();
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  reader.join();
  compaction.join();
  engine::report(done, engine::now() - start);
}
