// A producer hands blocks to one writer thread over a condition variable and a queue of two; the writer packs slowly.
#include "engine.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace pipeline {

class BlockQueue {
 public:
  NOINLINE void push(std::string block) {
    std::unique_lock<std::mutex> hold(mutex_);
    room_.wait(hold, [&] { return blocks_.size() < 2; });
    blocks_.push_back(std::move(block));
    filled_.notify_one();
  }
  NOINLINE bool pop(std::string& block) {
    std::unique_lock<std::mutex> hold(mutex_);
    filled_.wait(hold, [&] { return !blocks_.empty() || closed_; });
    if (blocks_.empty()) return false;
    block = std::move(blocks_.front());
    blocks_.pop_front();
    room_.notify_one();
    return true;
  }
  void close() {
    std::lock_guard<std::mutex> hold(mutex_);
    closed_ = true;
    filled_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable room_, filled_;
  std::deque<std::string> blocks_;
  bool closed_ = false;
};

// The best match of each position among the last ones: what a slow compressor does.
class SlowWriter {
 public:
  explicit SlowWriter(int effort) : effort_(effort) {}
  NOINLINE uint64_t write(const std::string& block) {
    uint64_t saved = 0;
    for (size_t at = 64; at + 8 < block.size(); at += 4) saved += longest_match(block, at);
    return saved;
  }

 private:
  NOINLINE size_t longest_match(const std::string& block, size_t at) const {
    size_t best = 0;
    for (int back = 1; back <= effort_; back++) {
      size_t length = 0;
      while (length < 8 && block[at + length] == block[at - static_cast<size_t>(back) + length]) length++;
      best = std::max(best, length);
    }
    return best;
  }
  int effort_;
};

class Producer {
 public:
  explicit Producer(BlockQueue& queue) : queue_(queue) {}
  NOINLINE void put(uint64_t n, const std::vector<std::string>& values) {
    engine::make_key(key_, n % 300, n);
    engine::encode(record_, key_, values[n % values.size()]);
    uint64_t hash = engine::hash_of(key_) ^ engine::quick_sum(record_);
    bloom_.add(hash);
    if (table_.insert(hash, record_)) table_.clear();
    block_.append(record_);
    if (block_.size() > 32 * 1024) seal();
  }

 private:
  NOINLINE void seal() {
    std::string full;
    full.swap(block_);
    queue_.push(std::move(full));
  }
  BlockQueue& queue_;
  engine::MemTable table_;
  engine::Bloom bloom_;
  std::string key_, record_, block_;
};
}  // namespace pipeline

int main() {
  auto values = engine::values(256, 100);
  pipeline::BlockQueue queue;
  uint64_t done = 0, saved = 0;
  std::thread writer([&] {
    pipeline::SlowWriter slow(engine::plant() ? 20 : 1);
    for (std::string block; queue.pop(block);) saved += slow.write(block);
  });
  pipeline::Producer producer(queue);
  double start = engine::now(), end = start + engine::run_seconds();
  while (engine::now() < end)
    for (int i = 0; i < 50; i++) producer.put(done++, values);
  double took = engine::now() - start;
  queue.close();
  writer.join();
  engine::report(done, took);
  return saved == 0;
}
