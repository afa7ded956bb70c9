// One template in two instances that share the CPU, on a thread with a name of its own; helpers are inlined into it.
#include <pthread.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace planted {

static volatile unsigned long sink;

inline unsigned long step(unsigned long x) { return x * 6364136223846793005ul + 1442695040888963407ul; }

template <class T>
struct Codec {
  __attribute__((noinline)) static void encode(T seed) {
    unsigned long x = static_cast<unsigned long>(seed);
    for (int i = 0; i < 100000; i++) x = step(x);
    sink = x;
  }
};

}  // namespace planted

int main() {
  const char* asked = std::getenv("RUN_SECONDS");
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(asked ? std::atof(asked) : 3);
  long rounds = 0;
  std::thread encoder([&] {
    pthread_setname_np(pthread_self(), "encoder-7");
    for (; std::chrono::steady_clock::now() < end; rounds++) {
      planted::Codec<int>::encode(3);
      planted::Codec<long>::encode(4);
    }
  });
  encoder.join();
  std::printf("ops=%ld seconds=1\n", rounds);
}
