"""What one instrumented call costs: nanoseconds above a bare call, minima of interleaved rounds.

    python benchmarks/probe_cost.py [ROUNDS]

Prints one line per variant. Minima reproduce on a noisy host where medians don't; interleaving keeps a slow
second from hitting one variant only. Switched off, profile_function is a C wrapper that does nothing.
"""

import cProfile
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import storeprof
from storeprof.probe import _recorder

ROOT = Path(__file__).resolve().parent.parent
CALLS = 2000


def bare(value: int) -> int:
    """The tiny function that is instrumented."""
    return value


profiled = storeprof.profile_function(bare)
scope = storeprof.profile_scope("block")


def in_scope(value: int) -> int:
    """The same with a scope around its line."""
    with storeprof.profile_scope("block"):
        return value


def in_kept_scope(value: int) -> int:
    """The same with the scope object kept."""
    with scope:
        return value


def timed(function: Callable[[int], int]) -> int:
    """Nanoseconds for CALLS calls."""
    calls = range(CALLS // 10)
    start = time.perf_counter_ns()
    for _ in calls:
        function(1), function(1), function(1), function(1), function(1)
        function(1), function(1), function(1), function(1), function(1)
    return time.perf_counter_ns() - start


def with_gate(on: bool, function: Callable[[int], int]) -> int:
    """Timed with the gate as told."""
    _recorder.gate(on)
    return timed(function)


def under_cprofile(function: Callable[[int], int]) -> int:
    """Timed under cProfile."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        return timed(function)
    finally:
        profile.disable()


VARIANTS: dict[str, Callable[[], int]] = {
    "bare call": lambda: timed(bare),
    "profile_function, on": lambda: with_gate(True, profiled),
    "profile_function, off": lambda: with_gate(False, profiled),
    "with profile_scope(name), on": lambda: with_gate(True, in_scope),
    "with profile_scope(name), off": lambda: with_gate(False, in_scope),
    "with a kept scope, on": lambda: with_gate(True, in_kept_scope),
    "cProfile": lambda: under_cprofile(bare),
}

CPP = r"""
#include <storeprof/profile.hpp>
#include <algorithm>
#include <cstdio>
__attribute__((noinline)) int work(int x) { asm volatile("" ::"r"(x) : "memory"); return x + 1; }
static uint64_t ns() { return storeprof::clock_ns(CLOCK_MONOTONIC); }
template <typename F> static double timed(bool on, F body) {
  storeprof::store(*storeprof::registry.gate, on ? 1u : 0u);
  const uint64_t start = ns();
  for (int i = 0; i < 10000; ++i) body();
  return static_cast<double>(ns() - start) / 10000;
}
static int x;
static void nested(int depth) { PROFILE_SCOPE("nested"); if (depth) nested(depth - 1); else x = work(x); }
int main(int, char** argv) {
  double least[7]; std::fill(least, least + 7, 1e9);
  for (int round = atoi(argv[1]); round > 0; --round) {
    const double now[7] = {
      timed(false, [] { x = work(x); }),
      timed(true, [] { PROFILE_SCOPE("a"); x = work(x); }),
      timed(false, [] { PROFILE_SCOPE("b"); x = work(x); }),
      timed(true, [] {
        PROFILE_SCOPE("c");
        { PROFILE_SCOPE("d"); x = work(x); }
        { PROFILE_SCOPE("e"); x = work(x); }
      }),
      timed(true, [] { PROFILE_MEMORY_ALLOC("T", 64); PROFILE_MEMORY_DEALLOC("T", 64); }),
      timed(false, [] {
        const uint64_t t = storeprof::now();
        x = work(x);
        asm volatile("" ::"r"(storeprof::now() - t));
      }),
      timed(true, [] { nested(7); })};
    for (int i = 0; i < 7; ++i) least[i] = std::min(least[i], now[i]);
  }
  const double b = least[0];
  std::printf("%-34s %6.1f\n%-34s %6.1f\n%-34s %6.1f\n%-34s %6.1f\n%-34s %6.1f\n%-34s %6.1f\n",
    "C++ PROFILE_SCOPE, on", least[1] - b, "C++ PROFILE_SCOPE, off", least[2] - b,
    "C++ three scopes, each, on", (least[3] - 2 * b) / 3,
    "C++ direct recursion of 8, each, on", (least[6] - b) / 8,
    "C++ memory alloc + dealloc, on", least[4], "C++ two clock reads, the floor", least[5] - b);
}
"""


def cpp_costs(rounds: int) -> str:
    """Builds and runs the C++ half; its lines of output."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "cost.cpp"), Path(folder, "cost")
        source.write_text(CPP)
        compiler = os.environ.get("CXX", "g++")
        flags = ["-std=c++17", "-O2", "-DSTOREPROF_ENABLE", f"-I{ROOT / 'include'}", "-pthread"]
        subprocess.run([compiler, *flags, str(source), "-o", str(program)], check=True)
        return subprocess.run([str(program), str(rounds)], check=True, text=True, stdout=subprocess.PIPE).stdout


def main() -> None:
    """Prints the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    least = dict.fromkeys(VARIANTS, sys.maxsize)
    for _ in range(rounds):
        for name, run in VARIANTS.items():
            least[name] = min(least[name], run())
    _recorder.gate(False)
    print(f"CPython {sysconfig.get_python_version()}, ns per call above a bare call, minimum of {rounds} rounds")
    base = least.pop("bare call") / CALLS
    print(f"{'(a bare call)':34} {base:6.1f}")
    for name, ns in least.items():
        print(f"{name:34} {ns / CALLS - base:6.1f}")
    print(cpp_costs(rounds), end="")


if __name__ == "__main__":
    main()
