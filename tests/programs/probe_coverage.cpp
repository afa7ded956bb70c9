// Functions with a probe that is entered, with one that is not, and with none that takes half of the time.
#include <storeprof/profile.hpp>

#include <chrono>
#include <cstdlib>

namespace kv {
struct Store {
  long sum = 0;
  [[gnu::noinline]] void put(int key) {
    PROFILE_FUNCTION();
    spin(key);
  }
  [[gnu::noinline]] void get(int key) { spin(key); }
  [[gnu::noinline]] void compact() {
    PROFILE_FUNCTION();
    sum = 0;
  }
  template <typename T> [[gnu::noinline]] void flush(T value) {
    PROFILE_SCOPE("flush it");
    sum += static_cast<long>(value);
  }
  void spin(int key) {
    for (volatile int i = 0; i < 20'000; ++i) sum += key;
  }
};
}  // namespace kv

int main(int argc, char**) {
  kv::Store store;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(std::atof(std::getenv("RUN_SECONDS")));
  while (std::chrono::steady_clock::now() < end) store.put(1), store.get(2);
  if (argc > 9) store.compact(), store.flush(1), store.flush(1.5);
}
