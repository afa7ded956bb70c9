"""What the allocation hook costs: CPU time of programs that do little but allocate, with it over without it.

    python benchmarks/memory_hook_cost.py [--rounds 15]

Runs with and without the hook alternate; every pair gives one ratio of CPU times (children's user + system time), and
printed are their median and its 95 % interval (order statistics of the sign test), with the seconds of the fastest run
of each kind. The region is drained here as the recorder drains it; no other part of storeprof runs.
"""

import argparse
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from storeprof.collect.linux.allocation_hook import AllocationRegion

PYTHON = """
class Row:
    __slots__ = ("key", "value", "size")
    def __init__(self, key, value):
        self.key, self.value, self.size = key, value, len(value)
def operation(table, i):
    key = b"series-%06d" % (i % 5000)
    value = b"%d:" % i * (4 + i % 9)
    table[key] = Row(key, value)
    parts = [part for part in value.split(b":")]
    return {"key": key, "parts": parts, "text": str(i)}
table = {}
for i in range(400_000):
    operation(table, i)
"""
CPP = """
#include <cstdio>
#include <map>
#include <string>
#include <vector>
struct Store {
    std::map<std::string, std::vector<std::string>> rows;
    void put(int i) {
        std::string key = "series-with-a-long-name-" + std::to_string(i % 4096), value(40 + i % 200, 'x');
        auto& versions = rows[key];
        if (versions.size() > 7) versions.erase(versions.begin());
        versions.push_back(value);
    }
    size_t get(int i) const {
        std::vector<std::string> found;
        auto at = rows.find("series-with-a-long-name-" + std::to_string(i % 4096));
        if (at != rows.end()) for (auto& one : at->second) found.push_back(one);
        return found.size();
    }
};
int main() {
    Store s;
    size_t n = 0;
    for (int i = 0; i < 900000; i++) { s.put(i); n += s.get(i * 7); }
    printf("%zu\\n", n);
}
"""
CPP_WORST = """
#include <cstdlib>
int main() {
    for (long i = 0; i < 40000000; i++) {
        void* p = malloc(16 + i % 512);
        asm volatile("" : : "r"(p) : "memory");
        free(p);
    }
}
"""


def cpu_seconds(command: list[str], hook: bool) -> float:
    """CPU time of one run."""
    region = AllocationRegion() if hook else None
    environment = {**os.environ, **(region.environment(None) if region else {})}
    # The program's pid has to be admitted before it starts: a shell that waits for a line and then execs it.
    shell = ["/bin/sh", "-c", 'read _ && exec "$0" "$@"', *command]
    process = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)
    assert process.stdin is not None
    if region:
        region.admit(process.pid, launcher=True)
    process.stdin.write(b"\n")
    process.stdin.close()
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        time.sleep(0.05)
        if region:
            region.drain()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if region:
        assert region.state()["hooked"]
        region.close()
    return usage.ru_utime + usage.ru_stime


def interval(values: list[float]) -> tuple[float, float]:
    """95 % interval of the median by order statistics."""
    ordered, n = sorted(values), len(values)
    k, below = 0, 0.0
    while True:
        below += math.comb(n, k) / 2**n
        if below > 0.025 or k >= n // 2:
            break
        k += 1
    k = max(0, k - 1) if below > 0.025 else k
    return ordered[k], ordered[n - 1 - k]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="pairs of runs of each program")
    given = parser.parse_args()
    print(f"{platform.python_version()}, {len(os.sched_getaffinity(0))} CPUs, {platform.release()}")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "program.py"
        script.write_text(PYTHON)
        programs = {"Python, rows and lists": [sys.executable, str(script)]}
        for name, source in (("C++, strings and vectors", CPP), ("C++, malloc and free alone", CPP_WORST)):
            binary = Path(folder) / f"program{len(programs)}"
            subprocess.run(["g++", "-O2", "-x", "c++", "-", "-o", str(binary)], input=source.encode(), check=True)
            programs[name] = [str(binary)]
        for name, command in programs.items():
            pairs = [(cpu_seconds(command, True), cpu_seconds(command, False)) for _ in range(given.rounds)]
            ratios = sorted(a / b for a, b in pairs)
            low, high = interval(ratios)
            fastest = [min(one) for one in zip(*pairs, strict=True)]
            print(
                f"{name:28s} with over without {ratios[len(ratios) // 2]:.3f} ({low:.3f} to {high:.3f}), "
                f"fastest {fastest[0]:.2f} s over {fastest[1]:.2f} s: {fastest[0] / fastest[1]:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
