"""What observing costs: the observer's CPU time, and the program's own rate with and without it.

    python benchmarks/observer_cost.py [--seconds 5] [--rounds 3]

A program with 8 threads (busy, waiting and sleeping ones) and one with a single busy thread run alone, under the
observer, and under the observer with perf, in turn. Printed per program: CPU time of the observer in percent of the
usable CPUs (of the sampler's thread and the recorder together; the budget is 1 %), and the program's operations per
second over those without storeprof, round by round.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """
import sys, threading, time
threads, seconds = int(sys.argv[1]), float(sys.argv[2])
end, done = time.monotonic() + seconds, [0] * threads
def work(n):
    while time.monotonic() < end:
        for _ in range(200):
            done[n] += sum(range(20)) > 0
        if n % 2:
            time.sleep(0.002)
started = time.monotonic()
pool = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
[one.start() for one in pool]
[one.join() for one in pool]
print(f"ops={sum(done)} seconds={time.monotonic() - started:.3f}")
"""
MODES = {"alone": None, "observer": ["--no-perf"], "observer and perf": []}


def run(folder: Path, threads: int, seconds: float, options: list[str] | None) -> tuple[float, float | None]:
    """One run: operations per second, and the observer's share of the usable CPUs in percent."""
    script = folder / "program.py"
    script.write_text(PROGRAM)
    program = [sys.executable, str(script), str(threads), str(seconds)]
    out = folder / "recording"
    command = [sys.executable, "-m", "storeprof", "record", "--out", str(out), *(options or []), "--", *program]
    done = subprocess.run(program if options is None else command, capture_output=True, text=True, check=True)
    found = re.search(r"ops=(\d+) seconds=([\d.]+)", done.stdout)
    assert found is not None
    rate = int(found[1]) / float(found[2])
    if options is None:
        return rate, None
    meta = json.loads((out / "recording.json").read_text())
    observer = meta["observer"]
    spent = observer["sampler_cpu_s"] + observer["recorder_cpu_s"]
    wall = (meta["ended_ns"] - meta["started_ns"]) / 1e9
    return rate, 100 * spent / wall / len(os.sched_getaffinity(0))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="length of one run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind, in turn")
    given = parser.parse_args()
    print(f"{platform.python_version()}, {len(os.sched_getaffinity(0))} CPUs, {platform.release()}")
    for threads in (1, 8):
        rates: dict[str, list[float]] = {mode: [] for mode in MODES}
        costs: dict[str, list[float]] = {mode: [] for mode in MODES}
        for _ in range(given.rounds):
            for mode, options in MODES.items():
                with tempfile.TemporaryDirectory() as folder:
                    rate, cost = run(Path(folder), threads, given.seconds, options)
                rates[mode].append(rate)
                costs[mode] += [] if cost is None else [cost]
        for mode in MODES:
            ratio = statistics.median(a / b for a, b in zip(rates[mode], rates["alone"], strict=True))
            spent = f"{statistics.median(costs[mode]):5.2f} % of the CPUs" if costs[mode] else " " * 18
            print(f"{threads} threads, {mode:18s} {spent}   rate over alone {ratio:.3f}")


if __name__ == "__main__":
    main()
