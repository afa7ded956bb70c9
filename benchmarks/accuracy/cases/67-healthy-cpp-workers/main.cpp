// Healthy: four workers wait on a condition variable for the requests of a paced client; a flusher sleeps beside them.
#include "engine.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace served {

class Requests {
 public:
  NOINLINE void push(uint64_t request) {
    {
      std::lock_guard<std::mutex> hold(mutex_);
      waiting_.push_back(request);
    }
    arrived_.notify_one();
  }
  NOINLINE bool pop(uint64_t& request) {
    std::unique_lock<std::mutex> hold(mutex_);
    arrived_.wait(hold, [&] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return false;
    request = waiting_.front();
    waiting_.pop_front();
    return true;
  }
  void close() {
    std::lock_guard<std::mutex> hold(mutex_);
    closed_ = true;
    arrived_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<uint64_t> waiting_;
  bool closed_ = false;
};

class Worker {
 public:
  Worker(Requests& requests, const std::vector<std::string>& values) : requests_(requests), values_(values) {}
  void run() {
    for (uint64_t request; requests_.pop(request); served_++) serve(request);
  }
  uint64_t served() const { return served_; }

 private:
  NOINLINE void serve(uint64_t request) {
    for (uint64_t i = 0; i < 300; i++) write(request, i);
  }
  NOINLINE void write(uint64_t request, uint64_t i) {
    engine::make_key(key_, request % 100, i);
    engine::encode(record_, key_, values_[(request + i) % values_.size()]);
    uint64_t hash = engine::hash_of(key_);
    if (bloom_.may_contain(hash)) found_ += table_.find(hash) != nullptr;
    bloom_.add(hash);
    found_ += engine::quick_sum(record_) & 1;
    if (table_.insert(hash, record_)) table_.clear();
  }
  Requests& requests_;
  const std::vector<std::string>& values_;
  engine::MemTable table_;
  engine::Bloom bloom_;
  std::string key_, record_;
  uint64_t served_ = 0, found_ = 0;
};
}  // namespace served

int main() {
  auto values = engine::values(256, 60);
  served::Requests requests;
  std::atomic<uint64_t> done{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&] {
      served::Worker worker(requests, values);
      worker.run();
      done += worker.served();
    });
  std::thread flusher([&] {
    while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  });
  double start = engine::now(), end = start + engine::run_seconds();
  for (uint64_t n = 0; engine::now() < end; n++) {
    requests.push(n);
    std::this_thread::sleep_until(std::chrono::steady_clock::now() + std::chrono::microseconds(400));
  }
  requests.close();
  stop = true;
  for (auto& thread : threads) thread.join();
  flusher.join();
  engine::report(done, engine::now() - start);
}
