// probe_cost SCOPES ROUNDS truth|run: operations of ROUNDS rounds of work with SCOPES scopes inside, for RUN_SECONDS of CPU time.
// `truth` prints what the probes cost, in percent, from blocks with and without them in turn; `run` what was done.
#include <storeprof/profile.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>
static uint64_t x = 88172645463325252ull;
__attribute__((noinline)) static void work(int n) {
  for (int i = 0; i < n; ++i) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
}
static int scopes, rounds;
__attribute__((noinline)) static void inner(int n) {
  PROFILE_SCOPE("inner");
  work(n);
}
__attribute__((noinline)) static void operation(int n) {
  PROFILE_OPERATION("op");
  for (int i = 0; i < scopes; ++i) inner(n / scopes);
  PROFILE_MEMORY_ALLOC("Key", 16);
}
__attribute__((noinline)) static void bare_inner(int n) { work(n); }
__attribute__((noinline)) static void bare(int n) {
  for (int i = 0; i < scopes; ++i) bare_inner(n / scopes);
}
static double cpu() { return static_cast<double>(storeprof::clock_ns(CLOCK_THREAD_CPUTIME_ID)) / 1e9; }
int main(int, char** argv) {
  scopes = atoi(argv[1]), rounds = atoi(argv[2]);
  const double seconds = atof(getenv("RUN_SECONDS"));
  if (argv[3][0] == 't') {
    std::vector<double> ratios;
    for (double end = cpu() + seconds; cpu() < end;) {
      const double a = cpu();
      for (int i = 0; i < 500; ++i) bare(rounds);
      const double b = cpu();
      for (int i = 0; i < 500; ++i) operation(rounds);
      ratios.push_back((cpu() - b) / (b - a));
    }
    std::sort(ratios.begin(), ratios.end());
    const double middle = ratios[ratios.size() / 2];
    std::printf("%.3f\n", 100 * (middle - 1) / middle);
    return 0;
  }
  long done = 0;  // one in ten takes four times as long
  for (double end = cpu() + seconds; cpu() < end; ++done) operation(done % 10 == 9 ? 4 * rounds : rounds);
  std::printf("ops=%ld\n", done);
}
