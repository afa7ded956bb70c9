// Sleeps and computes for known times, in two threads with names of their own.
#include <pthread.h>

#include <chrono>
#include <cstdio>
#include <thread>

using Clock = std::chrono::steady_clock;
static volatile unsigned long sink;

static void compute(double seconds) {
  for (const auto end = Clock::now() + std::chrono::duration<double>(seconds); Clock::now() < end;) sink = sink + 1;
}

int main() {
  std::thread sleeper([] {
    pthread_setname_np(pthread_self(), "sleeper");
    for (int i = 0; i < 10; i++) std::this_thread::sleep_for(std::chrono::milliseconds(60));
  });
  double worked = 0;
  std::thread worker([&worked] {
    const auto begin = Clock::now();
    pthread_setname_np(pthread_self(), "worker");
    compute(0.6);
    worked = std::chrono::duration<double>(Clock::now() - begin).count();
  });
  sleeper.join();
  worker.join();
  std::printf("done %f\n", worked);
}
