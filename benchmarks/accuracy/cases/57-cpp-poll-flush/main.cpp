// A writer whose buffer is full polls for the end of the flush with a sleep.
#include "engine.hpp"

namespace buffers {

class Flusher {
 public:
  Flusher(const std::string& folder) : log_(folder, "flushed"), thread_([this] { loop(); }) {}
  ~Flusher() {
    stop_ = true;
    thread_.join();
  }
  NOINLINE void start(std::string& buffer) {
    taken_.swap(buffer);
    buffer.clear();
    busy_.store(true, std::memory_order_release);
  }
  bool busy() const { return busy_.load(std::memory_order_acquire); }

 private:
  void loop() {
    while (!stop_) {
      if (busy()) write_out();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  NOINLINE void write_out() {
    log_.append(taken_);
    taken_.clear();
    busy_.store(false, std::memory_order_release);
  }

  engine::Log log_;
  std::atomic<bool> busy_{false}, stop_{false};
  std::string taken_;
  std::thread thread_;
};

class BufferedStore {
 public:
  BufferedStore(Flusher& flusher, bool polls) : flusher_(flusher), polls_(polls) {}
  NOINLINE void put(uint64_t n, const std::vector<std::string>& values) {
    engine::make_key(key_, n % 500, n);
    engine::encode(record_, key_, values[n % values.size()]);
    uint64_t hash = engine::hash_of(key_) ^ engine::quick_sum(record_);
    bloom_.add(hash);
    if (table_.insert(hash, record_)) table_.clear();
    buffer_.append(record_);
    if (buffer_.size() > 512 * 1024) make_room();
  }

 private:
  NOINLINE void make_room() {
    if (polls_) {
      flusher_.start(buffer_);
      wait_for_flush();
    } else if (!flusher_.busy()) {
      flusher_.start(buffer_);
    } else {
      buffer_.clear();
    }
  }
  NOINLINE void wait_for_flush() {
    while (flusher_.busy()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  Flusher& flusher_;
  bool polls_;
  engine::MemTable table_;
  engine::Bloom bloom_;
  std::string key_, record_, buffer_;
};
}  // namespace buffers

int main() {
  engine::Folder folder;
  auto values = engine::values(256, 100);
  uint64_t done = 0;
  double start = engine::now(), end = start + engine::run_seconds();
  {
    buffers::Flusher flusher(folder.path);
    buffers::BufferedStore store(flusher, engine::plant());
    while (engine::now() < end)
      for (int i = 0; i < 100; i++) store.put(done++, values);
  }
  engine::report(done, engine::now() - start);
}
