// cpu-hotspot: a checksum byte by byte in a small record store; about two thirds of the CPU time.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#define NOINLINE __attribute__((noinline))

namespace store {

NOINLINE uint32_t checksum(const std::string& record) {
  uint32_t a = 1, b = 0;
  for (unsigned char byte : record) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

NOINLINE uint64_t bucket_of(const std::string& key) {
  uint64_t hash = 1469598103934665603ull;
  for (unsigned char byte : key) hash = (hash ^ byte) * 1099511628211ull;
  return hash;
}

NOINLINE void encode(std::string& out, const std::string& key, const std::string& value) {
  out.clear();
  for (int round = 0; round < 3; round++) {
    out.append(key);
    out.append(value);
  }
}

class Table {
 public:
  Table() : buckets_(1024) {}
  NOINLINE void put(const std::string& key, const std::string& value) {
    encode(record_, key, value);
    uint32_t sum = checksum(record_);
    buckets_[bucket_of(key) % buckets_.size()] = sum;
  }

 private:
  std::vector<uint32_t> buckets_;
  std::string record_;
};

}  // namespace store

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int main() {
  const char* seconds = std::getenv("RUN_SECONDS");
  store::Table table;
  std::string key = "series-000000", value(200, 'v');
  uint64_t done = 0;
  double start = now(), end = start + (seconds ? std::atof(seconds) : 5.0);
  while (now() < end)
    for (int i = 0; i < 100; i++, done++) {
      key[8] = char('0' + done % 10);
      table.put(key, value);
    }
  std::printf("ops=%llu seconds=%.3f\n", static_cast<unsigned long long>(done), now() - start);
}
