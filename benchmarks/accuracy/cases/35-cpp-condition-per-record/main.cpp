// Store in C++ whose writer hands each single record to a log thread through a condition variable and waits for it.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

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

NOINLINE uint64_t hash_value(const std::string& value, uint64_t h) {
  for (int round = 0; round < 4; round++)
    for (size_t i = 0; i + 8 <= value.size(); i += 8) {
      uint64_t w;
      std::memcpy(&w, value.data() + i, 8);
      h = (h ^ w) * 0x100000001b3ull;
      h ^= h >> 29;
    }
  return h;
}

struct Record {
  uint64_t hash;
  const std::string* value;
};

// One thread that writes the log; a batch is handed over and answered as a whole.
class LogThread {
 public:
  explicit LogThread(size_t batch) : batch_(batch), thread_([this] { run(); }) {}
  ~LogThread() {
    {
      std::lock_guard<std::mutex> hold(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  NOINLINE void submit(uint64_t hash, const std::string& value) {
    pending_.push_back({hash, &value});
    if (pending_.size() >= batch_) hand_over();
  }
  uint64_t sum() const { return sum_; }

 private:
  NOINLINE void hand_over() {
    std::unique_lock<std::mutex> hold(mutex_);
    given_.swap(pending_);
    has_work_ = true;
    changed_.notify_one();
    done_.wait(hold, [this] { return !has_work_; });
  }
  NOINLINE void run() {
    std::unique_lock<std::mutex> hold(mutex_);
    while (true) {
      changed_.wait(hold, [this] { return has_work_ || stop_; });
      if (!has_work_) return;
      for (const Record& record : given_) write(record);
      given_.clear();
      has_work_ = false;
      done_.notify_one();
    }
  }
  NOINLINE void write(const Record& record) {
    buffer_.append(*record.value);
    if (buffer_.size() > 1 << 16) {
      sum_ = hash_value(buffer_, sum_);
      buffer_.clear();
    }
  }
  size_t batch_;
  std::mutex mutex_;
  std::condition_variable changed_, done_;
  std::vector<Record> pending_, given_;
  bool has_work_ = false, stop_ = false;
  std::string buffer_;
  uint64_t sum_ = 1;
  std::thread thread_;
};

class MemTable {
 public:
  NOINLINE void insert(uint32_t key, uint64_t hash) {
    rows_[key & 0xFFFF] = hash;
    if (rows_.size() > 40000) rows_.clear();
  }

 private:
  std::unordered_map<uint32_t, uint64_t> rows_;
};

class Bloom {
 public:
  NOINLINE void add(uint64_t h) {
    for (int i = 0; i < 6; i++, h = h * 0x9e3779b97f4a7c15ull + 1) words_[h >> 50] |= 1ull << (h & 63);
  }

 private:
  std::vector<uint64_t> words_ = std::vector<uint64_t>(1 << 14);
};

class Store {
 public:
  Store() : log_(plant() ? 1 : 128) {}
  NOINLINE void put(uint32_t key, const std::string& value) {
    uint64_t hash = key;
    for (int version = 0; version < 6; version++) hash = hash_value(value, hash);
    bloom_.add(hash);
    table_.insert(key, hash);
    log_.submit(hash, value);
  }
  uint64_t sum() const { return log_.sum(); }

 private:
  MemTable table_;
  Bloom bloom_;
  LogThread log_;
};

}  // namespace kv

int main() {
  using namespace kv;
  std::mt19937 rng(7);
  std::vector<std::string> values(256);
  for (auto& v : values)
    for (size_t i = 0; i < 1000; i++) v.push_back(char('a' + rng() % 26));
  Store store;
  double start = now(), end = start + run_seconds();
  uint64_t n = 0;
  while (now() < end)
    for (int i = 0; i < 20; i++, n++) store.put(uint32_t(n * 2654435761u), values[n & 255]);
  std::printf("ops=%llu seconds=%.3f\n", (unsigned long long)n, now() - start);
  return store.sum() == 0;
}
