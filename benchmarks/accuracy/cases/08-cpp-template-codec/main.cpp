// A column store with a codec of templates, built without frame pointers; runs are packed value by value, bit by bit.
#include "engine.hpp"

#include <array>
#include <type_traits>
#include <utility>

namespace column {

template <typename T>
struct Delta {
  T last{};
  T operator()(T value) {
    T step = value - last;
    last = value;
    return step;
  }
};

template <typename T>
struct ZigZag {
  std::make_unsigned_t<T> operator()(T value) const {
    return static_cast<std::make_unsigned_t<T>>(value) << 1 ^ static_cast<std::make_unsigned_t<T>>(value >> 63);
  }
};

class BitSink {
 public:
  void bit(bool one) {
    word_ |= static_cast<uint64_t>(one) << used_;
    if (++used_ == 64) flush();
  }
  void word(uint64_t value) { out_.push_back(value); }
  void flush() {
    out_.push_back(word_);
    word_ = used_ = 0;
  }
  std::vector<uint64_t> take() { return std::exchange(out_, {}); }

 private:
  std::vector<uint64_t> out_;
  uint64_t word_ = 0;
  unsigned used_ = 0;
};

template <bool Wordwise>
struct Packed {
  template <typename U>
  void operator()(BitSink& sink, U value) const {
    if constexpr (Wordwise) {
      sink.word(value);
    } else {
      unsigned width = value ? 64 - static_cast<unsigned>(__builtin_clzll(value)) : 1;
      for (unsigned i = 0; i < 6; i++) sink.bit(width >> i & 1);
      for (unsigned i = 0; i < width; i++) sink.bit(value >> i & 1);
    }
  }
};

template <typename T, template <typename> class Transform, typename Pack>
class Codec {
 public:
  NOINLINE void encode(const std::vector<T>& values, BitSink& sink) {
    Delta<T> delta;
    Transform<T> transform;
    for (T value : values) pack_(sink, transform(delta(value)));
    sink.flush();
  }

 private:
  Pack pack_;
};

NOINLINE uint64_t fold(const std::vector<uint64_t>& words) {
  uint64_t sum = 0;
  for (uint64_t word : words) sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
  return sum;
}

NOINLINE void fill(std::vector<int64_t>& values, uint64_t seed) {
  int64_t value = static_cast<int64_t>(seed);
  for (auto& one : values) one = value += static_cast<int64_t>((seed = seed * 6364136223846793005ull + 1) >> 52) - 1800;
}

NOINLINE uint64_t sketch(const std::vector<int64_t>& values, int seed) {
  uint64_t registers[64] = {};
  for (int64_t value : values) {
    uint64_t hash = (static_cast<uint64_t>(value) + static_cast<uint64_t>(seed)) * 0x9e3779b97f4a7c15ull;
    registers[hash & 63] = std::max<uint64_t>(registers[hash & 63], static_cast<uint64_t>(__builtin_clzll(hash | 1)));
  }
  return registers[0] + registers[63];
}

NOINLINE int64_t widest(const std::vector<int64_t>& values) {
  int64_t low = values[0], high = values[0];
  for (int64_t value : values) low = std::min(low, value), high = std::max(high, value);
  return high - low;
}

template <typename Pack>
uint64_t ingest(double end) {
  Codec<int64_t, ZigZag, Pack> codec;
  std::vector<int64_t> values(256);
  engine::MemTable table(512);
  std::string key, record;
  uint64_t done = 0;
  BitSink sink;
  while (engine::now() < end)
    for (int i = 0; i < 20; i++, done++) {
      fill(values, done);
      codec.encode(values, sink);
      uint64_t sum = fold(sink.take());
      engine::make_key(key, done % 64, static_cast<uint64_t>(widest(values)));
      record.assign(reinterpret_cast<const char*>(values.data()), values.size() * 8);
      for (int copy = 0; copy < 6; copy++) sum += engine::quick_sum(record) ^ sketch(values, copy);
      if (table.insert(sum ^ engine::quick_sum(record) ^ engine::hash_of(key), record)) table.clear();
    }
  return done;
}
}  // namespace column

int main() {
  double start = engine::now(), end = start + engine::run_seconds();
  uint64_t done = engine::plant() ? column::ingest<column::Packed<false>>(end) : column::ingest<column::Packed<true>>(end);
  engine::report(done, engine::now() - start);
}
