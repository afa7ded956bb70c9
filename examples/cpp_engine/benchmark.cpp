// Writes and reads for a while, with several threads; prints `ops=N seconds=S`, after SIGINT as well.
//   storageimpl_benchmark [SECONDS [THREADS [SAMPLES_PER_BLOCK]]]
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "engine.hpp"

namespace {

using Clock = std::chrono::steady_clock;
std::atomic<bool> stop{false};

uint64_t client(tsdb::StorageImpl& storage, int number) {
  char name[16];
  std::snprintf(name, sizeof name, "client-%d", number);
#if defined(__APPLE__)
  pthread_setname_np(name);
#else
  pthread_setname_np(pthread_self(), name);
#endif
  std::mt19937_64 random(static_cast<uint64_t>(number));
  std::vector<std::string> series;
  for (int i = 0; i < 32; i++) series.push_back("cpu{host=\"" + std::to_string(number * 32 + i) + "\"}");
  uint64_t done = 0;
  for (int64_t time = 0; !stop.load(std::memory_order_relaxed); time += 10) {
    const auto& labels = series[done % series.size()];
    storage.write(labels, {time, 20 + std::sin(static_cast<double>(time) / 1e4)});
    if (++done % 64 == 0) {
      const int64_t from = time > 0 ? static_cast<int64_t>(random() % static_cast<uint64_t>(time)) : 0;
      storage.read(labels, from, from + 40000);
      done++;
    }
  }
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 2;
  if (seconds <= 0 || threads < 1) {
    std::fprintf(stderr, "usage: storageimpl_benchmark [SECONDS [THREADS [SAMPLES_PER_BLOCK]]]\n");
    return 2;
  }
  std::string directory = std::filesystem::temp_directory_path().string() + "/storageimpl-XXXXXX";
  if (!mkdtemp(directory.data())) return std::perror(directory.c_str()), 1;
  const size_t per_block = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 512;
  std::signal(SIGINT, [](int) { stop = true; });
  std::signal(SIGTERM, [](int) { stop = true; });
  uint64_t done = 0;
  double took = 0;
  {
    tsdb::StorageImpl storage({directory, per_block ? per_block : 512});
    std::atomic<uint64_t> total{0};
    std::vector<std::thread> clients;
    const auto start = Clock::now();
    for (int i = 0; i < threads; i++) clients.emplace_back([&, i] { total += client(storage, i); });
    const auto end = start + std::chrono::duration<double>(seconds);
    while (!stop && Clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stop = true;
    for (auto& one : clients) one.join();
    took = std::chrono::duration<double>(Clock::now() - start).count();
    done = total;
  }
  std::filesystem::remove_all(directory);
  std::printf("ops=%llu seconds=%.6f\n", static_cast<unsigned long long>(done), took);
}
