// lock-contention: a flusher holds the mutex of the memtable while its device answers late.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#define NOINLINE __attribute__((noinline))

namespace store {

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class MemTable {
 public:
  NOINLINE void insert(const std::string& key) {
    uint64_t hash = 1469598103934665603ull;
    for (int round = 0; round < 200; round++)
      for (unsigned char byte : key) hash = (hash ^ byte) * 1099511628211ull;
    std::lock_guard<std::mutex> hold(mutex_);
    sum_ += hash;
  }
  NOINLINE void flush() {
    std::lock_guard<std::mutex> hold(mutex_);
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
  }

 private:
  std::mutex mutex_;
  uint64_t sum_ = 0;
};

}  // namespace store

int main() {
  const char* seconds = std::getenv("RUN_SECONDS");
  store::MemTable table;
  std::atomic<uint64_t> done{0};
  double start = store::now(), end = start + (seconds ? std::atof(seconds) : 5.0);
  std::thread writer([&] {
    std::string key = "series-000000";
    while (store::now() < end) {
      table.insert(key);
      done++;
    }
  });
  std::thread flusher([&] {
    while (store::now() < end) {
      table.flush();
      std::this_thread::sleep_for(std::chrono::milliseconds(15));
    }
  });
  writer.join();
  flusher.join();
  std::printf("ops=%llu seconds=%.3f\n", static_cast<unsigned long long>(done.load()), store::now() - start);
}
