// cache-misses: a walk over a permutation of 64 MiB waits for memory at each step; a sum of a small table does not.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace index_pages {

__attribute__((noinline)) uint64_t follow_pages(const std::vector<uint32_t>& next, uint32_t at, uint32_t steps) {
    for (uint32_t i = 0; i < steps; i++) at = next[at];
    return at;
}

__attribute__((noinline)) uint64_t sum_table(const std::vector<uint32_t>& table, uint64_t sum, uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; i++)
        for (uint32_t value : table) sum = sum * 31 + value;
    return sum;
}

}  // namespace index_pages

int main() {
    const uint32_t count = 1u << 24;  // an odd multiplier and an odd step: one cycle through all of it
    std::vector<uint32_t> next(count), table(256, 7);
    for (uint32_t i = 0; i < count; i++) next[i] = (i * 1664525u + 1013904223u) % count;
    auto begin = std::chrono::steady_clock::now();
    uint64_t sum = 0;
    uint32_t operations = 0;
    for (; operations < 60; operations++) {
        sum += index_pages::follow_pages(next, sum % count, 150000);
        sum = index_pages::sum_table(table, sum, 1500);
    }
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("ops=%u seconds=%.3f\n", operations, seconds);
    return sum == 42;
}
