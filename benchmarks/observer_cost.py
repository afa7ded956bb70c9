"""What observing costs: the observer's CPU time, and the program's own rate with and without it.

    python benchmarks/observer_cost.py [--seconds 5] [--rounds 3]

Programs with one busy thread, with 8 threads (half of them busy, half mostly sleeping), with 500 threads (2 busy ones)
and with threads that come and go by the thousand run alone, under the observer, and under the observer with perf, in
turn. Printed per program: CPU time of the observer in percent of the
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
threads, seconds, busy, pause = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
end, done = time.monotonic() + seconds, [0] * threads
def work(n):
    while time.monotonic() < end:
        for _ in range(200):
            done[n] += sum(range(20)) > 0
        if n >= busy:
            time.sleep(pause)
started = time.monotonic()
pool = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
[one.start() for one in pool]
[one.join() for one in pool]
print(f"ops={sum(done)} seconds={time.monotonic() - started:.3f}")
"""
CHURN = """
import sys, threading, time
seconds, done = float(sys.argv[1]), 0
end = time.monotonic() + seconds
def work():
    sum(range(2000))
    time.sleep(0.005)
while time.monotonic() < end:
    pool = [threading.Thread(target=work) for _ in range(20)]
    [one.start() for one in pool]
    [one.join() for one in pool]
    done += len(pool)
print(f"ops={done} seconds={seconds}")
"""
SECONDS = "SECONDS"
PROGRAMS = {  # source and arguments
    "1 thread": (PROGRAM, ["1", SECONDS, "1", "0"]),
    "8 threads": (PROGRAM, ["8", SECONDS, "4", "0.002"]),
    "500 threads": (PROGRAM, ["500", SECONDS, "2", "0.05"]),
    "come and go": (CHURN, [SECONDS]),
}
MODES = {"alone": None, "observer": ["--no-perf"], "observer and perf": []}


def run(folder: Path, name: str, seconds: float, options: list[str] | None) -> tuple[float, float | None]:
    """One run: operations per second, and the observer's share of the usable CPUs in percent."""
    script = folder / "program.py"
    source, arguments = PROGRAMS[name]
    script.write_text(source)
    program = [sys.executable, str(script), *(str(seconds) if word == SECONDS else word for word in arguments)]
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
    parser.add_argument("--programs", nargs="*", choices=PROGRAMS, help="only these")
    given = parser.parse_args()
    print(f"{platform.python_version()}, {len(os.sched_getaffinity(0))} CPUs, {platform.release()}")
    for name in given.programs or PROGRAMS:
        rates: dict[str, list[float]] = {mode: [] for mode in MODES}
        costs: dict[str, list[float]] = {mode: [] for mode in MODES}
        for _ in range(given.rounds):
            for mode, options in MODES.items():
                with tempfile.TemporaryDirectory() as folder:
                    rate, cost = run(Path(folder), name, given.seconds, options)
                rates[mode].append(rate)
                costs[mode] += [] if cost is None else [cost]
        for mode in MODES:
            ratio = statistics.median(a / b for a, b in zip(rates[mode], rates["alone"], strict=True))
            spent = f"{statistics.median(costs[mode]):5.2f} % of the CPUs" if costs[mode] else " " * 18
            print(f"{name:12s} {mode:18s} {spent}   rate over alone {ratio:.3f}")


if __name__ == "__main__":
    main()
