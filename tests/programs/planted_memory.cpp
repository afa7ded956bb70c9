// Allocations whose sizes and places are known, for the memory tools, and functions called a known number of times.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace planted {

static volatile char sink;

__attribute__((noinline)) void leak_blocks() {
  for (int i = 0; i < 7; i++) {
    char* lost = static_cast<char*>(std::malloc(1024));
    std::memset(lost, i, 1024);
    sink = lost[17];
  }
}

__attribute__((noinline)) std::unique_ptr<std::vector<char>> hold_table() {
  return std::make_unique<std::vector<char>>(8 << 20, 'x');
}

__attribute__((noinline)) void churn() {
  for (int i = 0; i < 5000; i++) {
    char* volatile brief = static_cast<char*>(std::malloc(500));
    brief[3] = 'y';
    sink = brief[3];
    std::free(brief);
  }
}

// A walk a cache line at a time.
__attribute__((noinline)) long miss_the_cache(std::vector<char>& big) {
  long sum = 0;
  for (size_t at = 0; at < big.size(); at += 64) sum += big[at];
  return sum;
}

template <class T>
struct Codec {
  __attribute__((noinline)) static void encode(T value) { sink = static_cast<char>(value); }
};

__attribute__((noinline)) int descend(int depth) {
  if (depth == 0) return 0;
  const int below = descend(depth - 1);
  sink = static_cast<char>(below);
  return below * 3 + sink;
}

}  // namespace planted

int main() {
  auto table = planted::hold_table();
  planted::leak_blocks();
  planted::churn();
  for (int i = 0; i < 1234; i++) planted::Codec<int>::encode(i);
  for (int i = 0; i < 77; i++) planted::Codec<double>::encode(i);
  std::vector<char> big(32 << 20, 1);
  const long sum = planted::miss_the_cache(big) + planted::descend(9);
  std::printf("ops=%ld seconds=1\n", sum);
}
