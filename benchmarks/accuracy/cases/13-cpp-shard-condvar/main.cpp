// A memtable in shards whose admission is one ticket under a mutex and a condition variable, held through the whole insert.
#include "engine.hpp"

#include <condition_variable>
#include <mutex>

namespace sharded {

// Admits one writer at a time, in the order of their numbers. Without the plant there is one for each shard.
class Ticket {
 public:
  NOINLINE void take() {
    std::unique_lock<std::mutex> hold(mutex_);
    uint64_t number = next_++;
    while (number != serving_) served_.wait(hold);
  }
  NOINLINE void give() {
    {
      std::lock_guard<std::mutex> hold(mutex_);
      serving_++;
    }
    served_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable served_;
  uint64_t next_ = 0, serving_ = 0;
};

struct Shard {
  engine::MemTable table{2048};
  engine::Bloom bloom;
};

class Table {
 public:
  Table() : single_(engine::plant()), shards_(3), tickets_(3) {}
  NOINLINE void insert(size_t shard, uint64_t n, const std::vector<std::string>& values, std::string& record) {
    Ticket& ticket = tickets_[single_ ? 0 : shard];
    ticket.take();
    apply(shards_[shard], n, values, record);
    ticket.give();
  }

 private:
  NOINLINE void apply(Shard& shard, uint64_t n, const std::vector<std::string>& values, std::string& record) {
    std::string key;
    for (uint64_t i = 0; i < 4000; i++) {
      engine::make_key(key, n, i);
      engine::encode(record, key, values[(n + i) % values.size()]);
      uint64_t hash = engine::hash_of(key) ^ engine::quick_sum(record);
      shard.bloom.add(hash);
      if (shard.table.insert(hash, record)) shard.table.clear();
    }
  }

  bool single_;
  std::vector<Shard> shards_;
  std::vector<Ticket> tickets_;
};
}  // namespace sharded

int main() {
  auto values = engine::values(256, 100);
  sharded::Table table;
  std::atomic<uint64_t> done{0};
  double start = engine::now(), end = start + engine::run_seconds();
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 3; t++)
    threads.emplace_back([&, t] {
      std::string record;
      uint64_t n = 0;
      for (; engine::now() < end; n++) table.insert(t, n, values, record);
      done += n * 4000;
    });
  for (auto& thread : threads) thread.join();
  engine::report(done, engine::now() - start);
}
