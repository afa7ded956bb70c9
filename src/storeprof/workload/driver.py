"""Runs a workload on an engine: a closed loop per thread, warm-up first, then the measured window.

The driver times no operation: that is what probes and looks are for, and its own share has to stay small.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Barrier, Thread
from time import monotonic_ns
from typing import Any

from storeprof.engines.engine import Engine
from storeprof.system_calls import SystemCalls, counted_between
from storeprof.workload.catalogue import START_NS, Batch, Kind, Workload, plan

NS = 1_000_000_000
COUNTING = 0.01  # of the time, which counting system calls may cost


@dataclass(frozen=True, slots=True)
class DriverOptions:
    """What to run; `duration_s` is the measured window, the warm-up comes before it."""

    engine: str
    workload: Workload
    duration_s: float
    threads: int
    directory: Path
    seed: int

    @property
    def warmup_s(self) -> float:
        """A tenth of the duration, half a second at least and five at most."""
        return min(5.0, max(0.5, self.duration_s / 10))


@dataclass(frozen=True, slots=True)
class Window:
    """The measured window: CLOCK_MONOTONIC at both ends, operations finished and system calls counted between them."""

    start_ns: int
    end_ns: int
    ops: int
    counted: dict[str, int] | None = None

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end_ns - self.start_ns) / NS


class Stop:
    """The request to end early. A signal handler may call `set`: SimpleQueue allows that, Event does not."""

    def __init__(self) -> None:
        self._requests: SimpleQueue[None] = SimpleQueue()
        self.requested = False

    def set(self) -> None:
        """Ends the wait and asks the threads to stop."""
        self.requested = True
        self._requests.put(None)

    def wait(self, seconds: float) -> None:
        """Returns after `seconds`, or at once when the stop is requested."""
        deadline = monotonic_ns() + int(seconds * NS)
        # In slices: a signal that comes before `get`, while this thread waits for the GIL, is no wake-up.
        while not self.requested and (left := deadline - monotonic_ns()) > 0:
            with suppress(Empty):
                self._requests.get(timeout=min(left / NS, 0.1))


class Worker:
    """One thread of the load and how many operations it has finished."""

    def __init__(self, engine: Engine, workload: Workload, batches: list[Batch], barrier: Barrier, stop: Stop) -> None:
        self.finished = 0  # written by its thread only, once a batch
        self.error: Exception | None = None
        self._engine, self._workload, self._batches = engine, workload, batches
        self._barrier, self._stop = barrier, stop
        self.thread = Thread(target=self._main, name="workload", daemon=True)

    def _main(self) -> None:
        self._barrier.wait()
        try:
            self._loop()
        except Exception as error:  # whatever an engine raises ends the run, and is raised in the main thread
            self.error = error
            self._stop.set()

    def _loop(self) -> None:
        write, read, query = self._engine.write, self._engine.read, self._engine.query
        step, recent, stop = self._workload.step_ns, self._workload.recent_ns, self._stop
        now, writing, reading = START_NS, Kind.WRITE, Kind.READ  # looking up an Enum member costs 0.2 us
        for batch in cycle(self._batches):
            if stop.requested:
                return
            for kind, row in batch:
                if kind is writing:
                    for labels, value in row:
                        now += step
                        write(labels, now, value)
                else:
                    operation = read if kind is reading else query
                    for labels, _ in row:
                        now += step
                        operation(labels, now - recent, now)
                self.finished += len(row)


def drive(
    engine: Engine, options: DriverOptions, stop: Stop, warm: Callable[[int], None], calls: SystemCalls | None = None
) -> Window:
    """Runs the load on an open engine; `warm` gets CLOCK_MONOTONIC when the warm-up ends.

    `calls` counts the process's system calls since before its first thread.

    Raises what an operation of the engine raised. A stop during the warm-up gives an empty window.
    """
    barrier = Barrier(options.threads + 1)
    plans = [plan(options.workload, options.seed, thread, options.threads) for thread in range(options.threads)]
    workers = [Worker(engine, options.workload, batches, barrier, stop) for batches in plans]
    for worker in workers:
        worker.thread.start()
    barrier.wait()
    stop.wait(options.warmup_s)
    if calls:
        calls.keep_within(COUNTING)
    called = calls.read() if calls else None
    start_ns, before = monotonic_ns(), sum(worker.finished for worker in workers)
    warm(start_ns)
    cut_short = stop.requested
    stop.wait(options.duration_s)
    end_ns, after = monotonic_ns(), sum(worker.finished for worker in workers)
    counted = counted_between(called, calls.read() if calls else None)
    stop.set()
    for worker in workers:
        worker.thread.join()
        if worker.error is not None:
            raise worker.error
    return Window(start_ns, start_ns, 0) if cut_short else Window(start_ns, end_ns, after - before, counted)


def write_window_file(path: Path, values: dict[str, Any]) -> None:
    """Puts the values into a JSON file; a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(values) + "\n", encoding="utf-8")
    temporary.replace(path)
