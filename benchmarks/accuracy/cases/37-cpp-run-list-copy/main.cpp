// Store in C++ that publishes a new copy of its list of runs with every batch, while the list gets longer and longer.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
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

struct Run {
  uint64_t first, last, bytes, sum;
};

// Readers take the current version; with the plant each change makes another one.
class Versions {
 public:
  Versions() : current_(std::make_shared<std::vector<Run>>()), copy_(plant()) {}
  NOINLINE void add(const Run& run) {
    if (copy_) {
      auto next = std::make_shared<std::vector<Run>>(*current_);
      next->push_back(run);
      current_ = next;
    } else {
      current_->push_back(run);
    }
  }
  size_t size() const { return current_->size(); }

 private:
  std::shared_ptr<std::vector<Run>> current_;
  bool copy_;
};

NOINLINE uint64_t hash_value(const std::string& value, uint64_t h) {
  for (size_t i = 0; i + 8 <= value.size(); i += 8) {
    uint64_t w;
    std::memcpy(&w, value.data() + i, 8);
    h = (h ^ w) * 0x100000001b3ull;
    h ^= h >> 29;
  }
  return h;
}

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
  NOINLINE void write_batch(uint64_t n, const std::vector<std::string>& values) {
    uint64_t sum = 0, bytes = 0;
    for (size_t i = 0; i < 64; i++) {
      const std::string& value = values[(n * 7 + i) & 255];
      sum ^= hash_value(value, n * 64 + i);
      bytes += value.size();
      bloom_.add(sum);
      insert(uint32_t(sum), value);
    }
    if (n % 6 == 0) versions_.add({n * 64, n * 64 + 63, bytes, sum});
  }
  size_t runs() const { return versions_.size(); }

 private:
  NOINLINE void insert(uint32_t key, const std::string& value) {
    rows_[key & 0x3FFF] = value.size();
    tail_.assign(value, 0, 32);
  }
  Bloom bloom_;
  Versions versions_;
  std::unordered_map<uint32_t, uint64_t> rows_;
  std::string tail_;
};

}  // namespace kv

int main() {
  using namespace kv;
  std::mt19937 rng(7);
  std::vector<std::string> values(256);
  for (auto& v : values)
    for (size_t i = 0; i < 600; i++) v.push_back(char('a' + rng() % 26));
  Store store;
  double start = now(), end = start + run_seconds(), last = start;
  uint64_t n = 0, reported = 0;
  while (now() < end) {
    for (int i = 0; i < 20; i++, n++) store.write_batch(n, values);
    double at = now();
    if (at - last >= 0.4) {
      std::printf("ops=%llu seconds=%.4f\n", (unsigned long long)(n - reported), at - last);
      std::fflush(stdout);
      last = at, reported = n;
    }
  }
  std::printf("ops=%llu seconds=%.4f\n", (unsigned long long)(n - reported), now() - last);
  return store.runs() == 0;
}
