// probe_cost SCOPES ROUNDS truth|even|mixed: operations of ROUNDS rounds of work with SCOPES scopes inside, for RUN_SECONDS
// of CPU time. `truth` prints what the probes cost, in percent, from blocks with and without them in turn; the others do
// the same operations, or one in ten with four times the work, and print how many.
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
static double cpu() { return static_cast<double>(storeprof::clock_ns(CLOCK_THREAD_CPUTIME_ID)) / 1e9; }
int main(int, char** argv) {
  scopes = atoi(argv[1]), rounds = atoi(argv[2]);
  const double seconds = atof(getenv("RUN_SECONDS"));
  if (argv[3][0] == 't') {
    std::vector<double> ratios;
    for (double end = cpu() + seconds; cpu() < end;) {
      double spent[2];
      for (const uint32_t on : {0u, 1u}) {
        storeprof::store(*storeprof::registry.gate, on);
        const double before = cpu();
        for (int i = 0; i < 300; ++i) operation(rounds);
        spent[on] = cpu() - before;
      }
      ratios.push_back(spent[1] / spent[0]);
    }
    std::sort(ratios.begin(), ratios.end());
    const double middle = ratios[ratios.size() / 2];
    std::printf("%.3f\n", 100 * (middle - 1) / middle);
    return 0;
  }
  long done = 0;
  const int longer = argv[3][0] == 'm' ? 4 : 1;
  for (double end = cpu() + seconds; cpu() < end; ++done) operation(done % 10 == 9 ? longer * rounds : rounds);
  std::printf("ops=%ld\n", done);
}
