"""An engine as a worker of the slice protocol (docs/formats/slices.md), run by its path: `python slices.py ENGINE …`.

By path, so that it drives engines of other revisions, which stand first in PYTHONPATH: of storeprof it uses no more
than has been there since the first revision with an engine. One thread, and each operation timed: the clock costs
about 0.1 us an operation, on both sides alike.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from storeprof.engines.registry import find_engine
from storeprof.errors import StoreprofError
from storeprof.workload.catalogue import START_NS, Batch, Kind, Workload, find_workload, plan


class Syncs:
    """How often the process asked for durability, counted by standing in front of the calls."""

    def __init__(self) -> None:
        self.count = 0

    def watch(self) -> None:
        """Stand in front of os.fsync and os.fdatasync."""
        for name in ("fsync", "fdatasync"):
            setattr(os, name, self._counting(getattr(os, name)))

    def _counting(self, call: Callable[[Any], None]) -> Callable[[Any], None]:
        def counted(descriptor: Any) -> None:
            self.count += 1
            call(descriptor)

        return counted


class Load:
    """The operations of a workload in an order that a seed decides; time in it only ever rises."""

    def __init__(self, engine: Any, workload: Workload, seed: int) -> None:
        self._workload = workload
        self._batches: list[Batch] = plan(workload, seed, 0, 1)
        self._now = START_NS
        self._call = {Kind.WRITE: engine.write, Kind.READ: engine.read, Kind.QUERY: engine.query}

    def run(self, count: int, seed: int) -> dict[Kind, list[int]]:
        """Do `count` operations from the place in the plan that `seed` says; durations in ns by kind."""
        clock, recent, step = time.perf_counter_ns, self._workload.recent_ns, self._workload.step_ns
        took: dict[Kind, list[int]] = {kind: [] for kind in Kind}
        for kind, labels, value in self._operations(count, seed):
            self._now = now = self._now + step
            call = self._call[kind]
            if kind is Kind.WRITE:
                start = clock()
                call(labels, now, value)
            else:
                start = clock()
                call(labels, now - recent, now)
            took[kind].append(clock() - start)
        return took

    def _operations(self, count: int, seed: int) -> Iterator[tuple[Kind, Any, float]]:
        at = seed % len(self._batches)
        while True:
            for kind, row in self._batches[at]:
                for labels, value in row:
                    if count == 0:
                        return
                    count -= 1
                    yield kind, labels, value
            at = (at + 1) % len(self._batches)


def serve(engine: Any, workload: Workload, seed: int) -> None:
    """Answer `run N SEED` lines until standard input ends."""
    syncs = Syncs()
    syncs.watch()
    load = Load(engine, workload, seed)
    print("ready storeprof-slices 1", flush=True)
    for line in sys.stdin:
        _, count, of_slice = line.split()
        before = syncs.count
        cpu, start = time.process_time_ns(), time.perf_counter_ns()
        took = load.run(int(count), int(of_slice))
        seconds, cpu_s = (time.perf_counter_ns() - start) / 1e9, (time.process_time_ns() - cpu) / 1e9
        latencies = " ".join(f"latency.{kind.value}={','.join(map(str, took[kind]))}" for kind in Kind if took[kind])
        print(
            f"did ops={count} seconds={seconds:.9f} cpu={cpu_s:.9f} count.fsyncs={syncs.count - before} {latencies}",
            flush=True,
        )


def main() -> int:
    """Open the engine, serve, close it."""
    parser = argparse.ArgumentParser(description="Drives a storage engine in slices.")
    parser.add_argument("engine")
    parser.add_argument("--workload", default="mixed")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    try:
        settings = dict(pair.split("=", 1) for pair in given.set)
        info = find_engine(given.engine)
        engine = info.make(settings) if settings else info.make()
        engine.open(given.dir)
    except StoreprofError as error:
        print(f"{error}", file=sys.stderr)
        return error.exit_status
    try:
        serve(engine, find_workload(given.workload), given.seed)
    finally:
        engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
