// Costs per call in C++: variants in turn, round by round; prints "name<TAB>minimum<TAB>median" above the bare work, in ns.
#include <storeprof/profile.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>
// Peers, where their sources can be had: benchmarks/probe_cost.py --minitrace, --tracy.
#ifdef MTR_ENABLED
#include <minitrace.h>
#endif
#ifdef TRACY_ENABLE
#include <tracy/Tracy.hpp>
#endif
static int x;
static uint64_t counters[4];
__attribute__((noinline)) static int work(int v) {
  asm volatile("" ::"r"(v) : "memory");
  return v + 1;
}
template <typename F> static double timed(bool on, F body) {
  storeprof::store(*storeprof::registry.gate, on ? 1u : 0u);
  const uint64_t start = storeprof::clock_ns(CLOCK_MONOTONIC);
  for (int i = 0; i < 5000; ++i) body();
  return static_cast<double>(storeprof::clock_ns(CLOCK_MONOTONIC) - start) / 5000;
}
static void nested(int depth) {
  PROFILE_SCOPE("nested");
  if (depth) nested(depth - 1);
  else x = work(x);
}
// The design that everybody begins with.
struct Naive {
  struct Row { long count = 0; double total = 0, least = 1e300, most = 0; };
  std::string name;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  explicit Naive(const char* n) : name(n) {}
  ~Naive() {
    static std::mutex mutex;
    static std::unordered_map<std::string, Row> rows;
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::lock_guard<std::mutex> hold(mutex);
    Row& row = rows[name];
    ++row.count, row.total += took, row.least = std::min(row.least, took), row.most = std::max(row.most, took);
  }
};
static std::mutex plain;
static storeprof::mutex named_mutex("memtable");
struct Variant { const char* name; double calls, bare; double (*run)(); };
static const Variant variants[] = {
  {"bare work", 1, 0, [] { return timed(false, [] { x = work(x); }); }},
  {"floor: two clock reads", 1, 1, [] { return timed(false, [] {
     const uint64_t t = storeprof::now(); x = work(x); asm volatile("" ::"r"(storeprof::now() - t)); }); }},
  {"PROFILE_SCOPE, on", 1, 1, [] { return timed(true, [] { PROFILE_SCOPE("a"); x = work(x); }); }},
  {"PROFILE_SCOPE, off", 1, 1, [] { return timed(false, [] { PROFILE_SCOPE("b"); x = work(x); }); }},
  {"PROFILE_SCOPE at depth 8, each, on", 8, 1, [] { return timed(true, [] {
     PROFILE_SCOPE("1"); PROFILE_SCOPE("2"); PROFILE_SCOPE("3"); PROFILE_SCOPE("4");
     PROFILE_SCOPE("5"); PROFILE_SCOPE("6"); PROFILE_SCOPE("7"); PROFILE_SCOPE("8"); x = work(x); }); }},
  {"direct recursion of 8, each, on", 8, 1, [] { return timed(true, [] { nested(7); }); }},
  {"floor: four counters", 1, 0, [] { return timed(false, [] {
     for (uint64_t& one : counters) storeprof::add(one, uint64_t{64}); }); }},
  {"memory alloc + dealloc, on", 1, 0, [] { return timed(true, [] {
     PROFILE_MEMORY_ALLOC("T", 64); PROFILE_MEMORY_DEALLOC("T", 64); }); }},
  {"std::mutex, lock + unlock", 1, 0, [] { return timed(true, [] { plain.lock(); plain.unlock(); }); }},
  {"storeprof::mutex, lock + unlock", 1, 0, [] { return timed(true, [] { named_mutex.lock(); named_mutex.unlock(); }); }},
  {"naive: string, map, mutex", 1, 1, [] { return timed(false, [] { Naive n("a"); x = work(x); }); }},
#ifdef MTR_ENABLED
  {"minitrace MTR_SCOPE", 1, 1, [] { return timed(false, [] { MTR_SCOPE("bench", "a"); x = work(x); }); }},
#endif
#ifdef TRACY_ENABLE
  {"Tracy ZoneScopedN", 1, 1, [] { return timed(false, [] { ZoneScopedN("a"); x = work(x); }); }},
#endif
};
int main(int, char** argv) {
#ifdef MTR_ENABLED
  mtr_init("/dev/null");
#endif
  std::vector<std::vector<double>> found(std::size(variants));
  for (int round = atoi(argv[1]); round > 0; --round)
    for (size_t i = 0; i < std::size(variants); ++i) found[i].push_back(variants[i].run());
  for (auto& values : found) std::sort(values.begin(), values.end());
  for (size_t i = 0; i < std::size(variants); ++i) {
    const Variant& v = variants[i];
    const size_t middle = found[i].size() / 2;
    std::printf("%s\t%.2f\t%.2f\n", v.name, (found[i][0] - v.bare * found[0][0]) / v.calls,
                (found[i][middle] - v.bare * found[0][middle]) / v.calls);
  }
}
