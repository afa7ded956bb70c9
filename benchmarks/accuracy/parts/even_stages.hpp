#pragma once
// Stages of about equal cost; work() is one record's way through an engine.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#define NOINLINE __attribute__((noinline))
static inline bool planted() { const char* p = getenv("PLANT"); return !p || strcmp(p, "0"); }
static inline double run_seconds() { const char* p = getenv("RUN_SECONDS"); return p ? atof(p) : 8; }
static inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
static inline void done(uint64_t n, double start) { std::printf("ops=%llu seconds=%.3f\n", (unsigned long long)n, now() - start); }
namespace spread {
struct S { uint64_t t[64]; unsigned char b[512]; uint32_t f[256]; };
inline S make() { S s; for (int i = 0; i < 64; i++) s.t[i] = i * 7919; for (int i = 0; i < 512; i++) s.b[i] = i * 31; for (int i = 0; i < 256; i++) s.f[i] = i; return s; }
#define STAGE(name, body) NOINLINE static uint64_t name(S& s, uint64_t x) { body return x; }
STAGE(mix_key, for (int i = 0; i < 44; i++) x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;)
STAGE(hash_block, for (int i = 0; i < 56; i++) x = (x ^ s.b[i]) * 0x100000001b3ull;)
STAGE(find_slot, for (int i = 0; i < 28; i++) x += s.t[(x + i) & 63];)
STAGE(shift_ring, for (int i = 0; i < 60; i++) s.t[i] ^= s.t[(i + 1) & 63] + x;)
STAGE(count_bits, for (int i = 0; i < 15; i++) x += __builtin_popcountll(s.t[i] ^ x);)
STAGE(mark_filter, for (int i = 0; i < 50; i++) s.f[(x >> (i & 31)) & 255] |= 1u << (i & 31);)
STAGE(ask_filter, for (int i = 0; i < 28; i++) x += s.f[(x + i * 17) & 255] >> 3;)
STAGE(fold_sum, for (int i = 0; i < 60; i++) x = x * 33 + s.b[i * 7 & 511];)
STAGE(delta, for (int i = 1; i < 62; i++) x ^= s.t[i] - s.t[i - 1] - x;)
STAGE(pack_bits, for (int i = 0; i < 60; i++) { s.b[i] = (s.b[i] << 1) ^ (x & 255); x = (x >> 1) | (x << 63); })
STAGE(scan_min, uint64_t m = ~0ull; for (int i = 0; i < 38; i++) { m = s.t[i] + x < m ? s.t[i] + x : m; x += m & 1; })
STAGE(rotate, for (int i = 0; i < 70; i++) x = (x << 7 | x >> 57) + i;)
STAGE(mod_walk, for (int i = 0; i < 10; i++) x = x % (1000003 + i) * 7919 + i;)
STAGE(digits, for (int i = 0; i < 18; i++) { s.b[i] = x % 10; x = x / 10 + 12345678901ull; })
STAGE(tail_mix, for (int i = 0; i < 45; i++) x = (x + 0x9e3779b97f4a7c15ull) ^ (x >> 31) * 5;)
NOINLINE static uint64_t work(S& s, uint64_t x) {
  x = mix_key(s, x); x = hash_block(s, x); x = find_slot(s, x); x = shift_ring(s, x); x = count_bits(s, x);
  x = mark_filter(s, x); x = ask_filter(s, x); x = fold_sum(s, x); x = delta(s, x); x = pack_bits(s, x);
  x = scan_min(s, x); x = rotate(s, x); x = mod_walk(s, x); x = digits(s, x); return tail_mix(s, x);
}
}
