// Page store with a small frame table. Pages are slotted; each frame has a latch.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace pagestore {

constexpr int kPageSize = 8192;
constexpr int kFrames = 1;

#define OUTLINE __attribute__((noinline))

static bool env_is_zero(const char* name) {
  const char* v = std::getenv(name);
  return v && v[0] == '0' && !v[1];
}

class Latch {
 public:
  OUTLINE void enter() {
    while (held_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void leave() { held_.clear(std::memory_order_release); }

 private:
  std::atomic_flag held_ = ATOMIC_FLAG_INIT;
};

struct Page {
  std::array<uint8_t, kPageSize> bytes{};
  uint32_t used = 16, count = 0;
  uint64_t sum = 0;

  OUTLINE bool append(const std::vector<uint8_t>& rec) {
    if (used + rec.size() + 2 > kPageSize) return false;
    bytes[used] = uint8_t(rec.size());
    bytes[used + 1] = uint8_t(rec.size() >> 8);
    std::memcpy(&bytes[used + 2], rec.data(), rec.size());
    used += uint32_t(rec.size()) + 2;
    ++count;
    return true;
  }
  OUTLINE void wipe() { used = 16; count = 0; }
};

struct Frame {
  Latch latch;
  Page page;
  uint64_t version = 0;
};

OUTLINE uint64_t fletcher(const uint8_t* p, size_t n) {
  uint64_t a = 1, b = 0;
  for (size_t i = 0; i + 4 <= n; i += 4) {
    uint32_t w;
    std::memcpy(&w, p + i, 4);
    a = (a + w) % 4294967291u;
    b = (b + a) % 4294967291u;
  }
  return b << 32 | a;
}

class Rand {
 public:
  explicit Rand(uint64_t s) : s_(s * 0x9e3779b97f4a7c15ull + 1) {}
  uint64_t next() {
    s_ ^= s_ << 13;
    s_ ^= s_ >> 7;
    return s_ ^= s_ << 17;
  }

 private:
  uint64_t s_;
};

class RowCodec {
 public:
  OUTLINE void begin() { out_.clear(); }
  OUTLINE void number(uint64_t v) {
    for (; v > 127; v >>= 7) out_.push_back(uint8_t(v | 128));
    out_.push_back(uint8_t(v));
  }
  OUTLINE void text(const std::string& s) {
    number(s.size());
    out_.insert(out_.end(), s.begin(), s.end());
  }
  OUTLINE void delta(const std::vector<int32_t>& xs) {
    int32_t before = 0;
    for (size_t i = 0; i < xs.size(); i += 2) {
      int32_t x = xs[i], d = x - before;
      uint32_t z = uint32_t(d << 1) ^ uint32_t(d >> 31);
      if (z > 127) out_.push_back(uint8_t(z | 128));
      out_.push_back(uint8_t(z > 127 ? z >> 7 : z));
      before = x;
    }
  }
  const std::vector<uint8_t>& bytes() const { return out_; }

 private:
  std::vector<uint8_t> out_;
};

class Filter {
 public:
  OUTLINE void add(uint64_t h) {
    for (int i = 0; i < 3; i++, h = h * 31 + 7) bits_[h % bits_.size()] |= uint8_t(1 << (h & 7));
  }

 private:
  std::array<uint8_t, 4096> bits_{};
};

class Spill {
 public:
  explicit Spill(const std::string& dir) : path_(dir + "/pages.dat"), fd_(open(path_.c_str(), O_CREAT | O_RDWR, 0600)) {}
  ~Spill() {
    close(fd_);
    unlink(path_.c_str());
  }
  OUTLINE void put(uint64_t slot, const uint8_t* p, size_t n) {
    if (pwrite(fd_, p, n, off_t(slot % 256) * kPageSize) < 0) std::perror("pwrite");
  }

 private:
  std::string path_;
  int fd_;
};

class FrameTable {
 public:
  explicit FrameTable(Spill& spill) : spill_(spill) {}

  Frame& of(uint64_t key) { return frames_[key % kFrames]; }
  OUTLINE void place(Frame& f, const std::vector<uint8_t>& rec, uint64_t sum) {
    if (!f.page.append(rec)) {
      if (++f.version % 8 == 0) spill_.put(f.version, f.page.bytes.data(), f.page.used);
      f.page.wipe();
      f.page.append(rec);
    }
    f.page.sum ^= sum;
  }

 private:
  Spill& spill_;
  std::array<Frame, kFrames> frames_;
};

class Session {
 public:
  Session(FrameTable& table, int id, bool whole) : table_(table), rand_(uint64_t(id) + 3), id_(uint64_t(id)), whole_(whole) {
    xs_.resize(96);
  }

  OUTLINE void insert_row(uint64_t n) {
    sample();
    Frame& frame = table_.of(id_ + n * 3);
    if (whole_) {
      frame.latch.enter();
      uint64_t sum = compose(n);
      table_.place(frame, codec_.bytes(), sum);
    } else {
      uint64_t sum = compose(n);
      frame.latch.enter();
      table_.place(frame, codec_.bytes(), sum);
    }
    frame.latch.leave();
  }

 private:
  OUTLINE void sample() {
    int32_t v = 1000;
    for (auto& x : xs_) x = v += int32_t(rand_.next() % 301) - 150;
  }
  OUTLINE uint64_t compose(uint64_t n) {
    codec_.begin();
    codec_.number(n);
    codec_.text(name(n));
    codec_.number(range());
    codec_.number(mean());
    codec_.number(uint64_t(outliers()));
    codec_.number(uint64_t(longest_rise()));
    codec_.number(spread());
    codec_.delta(xs_);
    filter_.add(hash(codec_.bytes()));
    return fletcher(codec_.bytes().data(), codec_.bytes().size());
  }
  OUTLINE std::string name(uint64_t n) {
    return "site/" + std::to_string(id_) + "/unit/" + std::to_string(n % 700) + "/temperature";
  }
  OUTLINE uint64_t range() const {
    int32_t low = xs_[0], high = xs_[0];
    for (int32_t x : xs_) {
      low = x < low ? x : low;
      high = x > high ? x : high;
    }
    return uint64_t(high - low);
  }
  OUTLINE uint64_t mean() const {
    int64_t m = 0;
    for (int32_t x : xs_) m += x;
    return uint64_t(m < 0 ? 0 : m) / xs_.size();
  }
  OUTLINE int longest_rise() const {
    int best = 0, run = 0;
    for (size_t i = 1; i < xs_.size(); i++) {
      run = xs_[i] > xs_[i - 1] ? run + 1 : 0;
      best = run > best ? run : best;
    }
    return best;
  }
  OUTLINE uint64_t spread() const {
    uint64_t s = 0;
    for (size_t i = 1; i < xs_.size(); i += 2) {
      int64_t d = xs_[i] - xs_[i - 1];
      s += uint64_t(d * d);
    }
    return s;
  }
  OUTLINE int outliers() const {
    int n = 0;
    for (size_t i = 2; i < xs_.size(); i++) {
      int32_t bend = xs_[i] - 2 * xs_[i - 1] + xs_[i - 2];
      if (bend > 240 || bend < -240) n++;
    }
    return n;
  }
  OUTLINE static uint64_t hash(const std::vector<uint8_t>& b) {
    uint64_t h = 14695981039346656037ull;
    for (size_t i = 0; i < b.size(); i += 2) h = (h ^ b[i]) * 1099511628211ull;
    return h;
  }

  FrameTable& table_;
  RowCodec codec_;
  Filter filter_;
  Rand rand_;
  std::vector<int32_t> xs_;
  uint64_t id_;
  bool whole_;
};

}  // namespace pagestore

int main() {
  using namespace pagestore;
  const char* rs = std::getenv("RUN_SECONDS");
  double seconds = rs ? std::atof(rs) : 8.0;
  char dir[] = "./data-XXXXXX";
  if (!mkdtemp(dir)) return 1;
  std::atomic<uint64_t> done{0};
  std::atomic<bool> stop{false};
  auto t0 = std::chrono::steady_clock::now();
  {
    Spill spill(dir);
    auto table = std::make_unique<FrameTable>(spill);
    std::vector<std::thread> sessions;
    for (int id = 0; id < 3; id++)
      sessions.emplace_back([&, id] {
        auto s = std::make_unique<Session>(*table, id, !env_is_zero("PLANT"));
        uint64_t n = 0;
        while (!stop.load(std::memory_order_relaxed)) s->insert_row(n++);
        done += n;
      });
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    stop = true;
    for (auto& s : sessions) s.join();
  }
  double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count();
  rmdir(dir);
  std::printf("ops=%llu seconds=%.3f\n", (unsigned long long)done.load(), took);
}
