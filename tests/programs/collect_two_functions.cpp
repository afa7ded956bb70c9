// Burns CPU in two functions, 70 % and 30 % of the same work, for argv[1] seconds.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

static volatile uint64_t sink;

__attribute__((noinline)) void seventy(uint64_t seed) {
  for (int i = 0; i < 70000; i++) seed = seed * 6364136223846793005u + 1442695040888963407u;
  sink = seed;
}

__attribute__((noinline)) void thirty(uint64_t seed) {
  for (int i = 0; i < 30000; i++) seed = seed * 6364136223846793005u + 1442695040888963407u;
  sink = seed;
}

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
  const auto start = std::chrono::steady_clock::now();
  uint64_t rounds = 0;
  std::chrono::duration<double> spent{};
  while (spent.count() < seconds) {
    seventy(rounds);
    thirty(rounds++);
    spent = std::chrono::steady_clock::now() - start;
  }
  std::printf("ops=%llu seconds=%.3f\n", static_cast<unsigned long long>(rounds), spent.count());
}
