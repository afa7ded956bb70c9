"""Single writes per second of storeprof.tsdb on one thread with interval sync: probes recording, and idle.

    python benchmarks/tsdb_writes.py [--seconds 2] [--runs 5] [--dir DIR]

Each run is a process of its own, in turn with and without recording; printed are the medians. "on" means that
the probe's gate is open, as under `storeprof record`; "off" that the decorators are there and nobody records.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

SERIES = 200


def measure(directory: str, seconds: float) -> float:
    """Writes per second into a new storage, background thread running; the first half second is left out."""
    from storeprof.tsdb import StorageImpl

    labels = [{"host": f"host-{n % 50:03}", "region": f"region-{n % 5}", "metric": str(n // 50)} for n in range(SERIES)]
    with StorageImpl.open(directory) as storage:
        write = storage.write
        done = 0
        for length in (0.5, seconds):
            start = time.perf_counter()
            before = done
            while time.perf_counter() - start < length:
                for one in labels:
                    done += 1
                    write(one, done, done * 0.37)
            rate = (done - before) / (time.perf_counter() - start)
    return rate


def main() -> None:
    """Runs itself in turn with probes on and off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dir", default=None, help="where the temporary storages go; must be on a real disk")
    parser.add_argument("--child", default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(measure(given.child, given.seconds))
        return
    rates: dict[str, list[float]] = {"on": [], "off": []}
    for _ in range(given.runs):
        for probes, values in rates.items():
            with tempfile.TemporaryDirectory(dir=given.dir) as directory:
                program = [sys.executable, __file__, "--child", directory, "--seconds", str(given.seconds)]
                environment = {**os.environ, "STOREPROF_RECORD": "1" if probes == "on" else "0"}
                output = subprocess.run(program, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
            values.append(float(output))
    for probes, values in rates.items():
        low, high = min(values), max(values)
        print(f"probes {probes}: {statistics.median(values):,.0f} writes/s (from {low:,.0f} to {high:,.0f})")


if __name__ == "__main__":
    main()
