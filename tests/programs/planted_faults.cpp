// Touches known numbers of fresh pages of ordinary size, in two functions.
#include <sys/mman.h>

#include <cstdio>

static const long page = 4096;

static char* fresh(long pages) {
  void* got = mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(got, pages * page, MADV_NOHUGEPAGE);
  return static_cast<char*>(got);
}

__attribute__((noinline)) static void fill_table(char* at, long pages) {
  for (long i = 0; i < pages; i++) at[i * page] = 1;
}

__attribute__((noinline)) static void fill_index(char* at, long pages) {
  for (long i = 0; i < pages; i++) at[i * page] = 2;
}

int main() {
  fill_table(fresh(3000), 3000);
  fill_index(fresh(500), 500);
  std::puts("done");
}
