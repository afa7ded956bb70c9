// Eight ingest threads for each CPU, each with a shard of its own and nothing to wait for.
#include "engine.hpp"

namespace shards {

class Shard {
 public:
  NOINLINE void put(uint64_t n, const std::vector<std::string>& values) {
    engine::make_key(key_, n % 200, n);
    engine::encode(record_, key_, values[n % values.size()]);
    uint64_t hash = engine::hash_of(key_) ^ engine::quick_sum(record_);
    bloom_.add(hash);
    if (table_.insert(hash, record_)) table_.clear();
  }
  NOINLINE bool get(uint64_t n) {
    engine::make_key(key_, n % 200, n);
    return bloom_.may_contain(engine::hash_of(key_));
  }

 private:
  engine::MemTable table_{1024};
  engine::Bloom bloom_;
  std::string key_, record_;
};

NOINLINE uint64_t ingest(double end, const std::vector<std::string>& values) {
  Shard shard;
  uint64_t n = 0, found = 0;
  while (engine::now() < end)
    for (int i = 0; i < 200; i++, n++) {
      shard.put(n, values);
      found += shard.get(n / 2);
    }
  return n;
}
}  // namespace shards

int main() {
  unsigned cpus = std::max(1u, std::thread::hardware_concurrency());
  unsigned count = engine::plant() ? 5 * cpus : cpus;
  auto values = engine::values(256, 100);
  std::atomic<uint64_t> done{0};
  double start = engine::now(), end = start + engine::run_seconds();
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < count; t++) threads.emplace_back([&] { done += shards::ingest(end, values); });
  for (auto& thread : threads) thread.join();
  engine::report(done, engine::now() - start);
}
