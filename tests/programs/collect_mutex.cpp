// Three threads take one mutex around all their work, for argv[1] seconds: they wait in `wait_for_the_lock`.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

static std::mutex the_lock;
static volatile uint64_t sink;

__attribute__((noinline)) void work_inside(uint64_t seed) {
  for (int i = 0; i < 20000; i++) seed = seed * 6364136223846793005u + 1442695040888963407u;
  sink = seed;
}

__attribute__((noinline)) void wait_for_the_lock(uint64_t seed) {
  std::lock_guard<std::mutex> hold(the_lock);
  work_inside(seed);
}

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; t++)
    threads.emplace_back([=] {
      for (uint64_t n = t; std::chrono::steady_clock::now() < end; n++) wait_for_the_lock(n);
    });
  for (auto& thread : threads) thread.join();
}
