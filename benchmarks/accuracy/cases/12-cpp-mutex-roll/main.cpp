// Writers share a segment; the one that fills it writes and syncs it while it still holds the mutex.
#include "engine.hpp"

#include <mutex>

namespace segments {

class SegmentedLog {
 public:
  explicit SegmentedLog(const std::string& folder) : log_(folder, "segment"), held_(engine::plant()) {}

  NOINLINE void append(const std::string& record) {
    std::unique_lock<std::mutex> hold(mutex_);
    segment_.append(record);
    if (segment_.size() < 96 * 1024) return;
    std::string full;
    full.swap(segment_);
    if (!held_) hold.unlock();
    roll(full);
  }

 private:
  NOINLINE void roll(const std::string& full) {
    for (size_t at = 0; at < full.size(); at += 16 * 1024) {
      size_t size = std::min<size_t>(16 * 1024, full.size() - at);
      if (pwrite(log_.fd(), full.data() + at, size, static_cast<off_t>(at)) < 0) std::perror("segment");
      fdatasync(log_.fd());
    }
  }

  engine::Log log_;
  bool held_;
  std::mutex mutex_;
  std::string segment_;
};

class Writer {
 public:
  Writer(SegmentedLog& log, const std::vector<std::string>& values) : log_(log), values_(values) {}
  NOINLINE void write(uint64_t n) {
    engine::make_key(key_, n % 100, n);
    engine::encode(record_, key_, values_[n % values_.size()]);
    for (int round = 0; round < 60; round++) sum_ += engine::quick_sum(record_) ^ engine::hash_of(key_);
    bloom_.add(sum_);
    log_.append(record_);
  }

 private:
  SegmentedLog& log_;
  const std::vector<std::string>& values_;
  engine::Bloom bloom_;
  std::string key_, record_;
  uint64_t sum_ = 0;
};
}  // namespace segments

int main() {
  engine::Folder folder;
  auto values = engine::values(256, 200);
  std::atomic<uint64_t> done{0};
  double start = engine::now(), end = start + engine::run_seconds();
  {
    segments::SegmentedLog log(folder.path);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 3; t++)
      threads.emplace_back([&, t] {
        segments::Writer writer(log, values);
        uint64_t n = t;
        for (; engine::now() < end; n += 3) writer.write(n);
        done += n / 3;
      });
    for (auto& thread : threads) thread.join();
  }
  engine::report(done, engine::now() - start);
}
