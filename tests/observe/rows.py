"""Runs a program under the native sampler and decodes what it hands out (docs/formats/journal.md)."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from storeprof.observe._observer import Sampler
from storeprof.observe.probe_totals import ProbeTotals
from storeprof.observe.process_memory import ProcessMemory
from storeprof.session.python_frames import Code

NONE = 0xFFFFFFFF
LOOKS, THREAD_TIME, THREADS, FRAMES, STACKS, RESOURCES, SCOPE_NODES, SCOPE_COUNTS = range(1, 9)
SCOPE_HISTOGRAMS, OPERATIONS, MEMORY_TAGS, MEMORY, ANCHORS, PROCESSES = range(9, 15)
WAITS_FOR_GIL, HOLDS_GIL, REUSED, COLLECTS_GARBAGE = 1, 2, 4, 8
PROGRAMS = Path(__file__).parents[1] / "programs"


def _dtype(text: str) -> np.dtype[np.void]:
    """Turn "u8 t_ns u4 thread" into a packed little-endian dtype."""
    words = text.split()
    return np.dtype([(name, "<" + kind) for kind, name in zip(words[::2], words[1::2], strict=True)])


DTYPES = {
    LOOKS: _dtype(
        "u8 t_ns u4 thread u4 weight_ns u8 arg0 u8 arg1 i2 syscall u1 state u1 flags u1 py_status u1 r0 u2 r1 "
        "u4 arg2 u4 holder u4 resource u4 py_stack u4 scope_record u4 op_seq u8 stack_pointer"
    ),
    THREAD_TIME: _dtype(
        "u4 thread u4 r0 u8 t_ns u8 run_ns u8 delay_ns u8 minflt u8 majflt u8 voluntary u8 involuntary u8 slices"
    ),
    STACKS: _dtype("u4 stack u4 parent u4 frame"),
    SCOPE_COUNTS: _dtype(
        "u8 t_ns u4 process u4 node u4 flags u4 r0 u8 count u8 total_ticks u8 self_ticks u8 min_ticks "
        "u8 max_ticks f8 sum_squares_ticks2 u8 r1"
    ),
    SCOPE_HISTOGRAMS: _dtype("u8 t_ns u4 node u2 bucket u2 count"),
    OPERATIONS: _dtype("u4 thread u4 op_seq u4 record u4 hit u8 start_ticks u8 duration_ticks u8 weight_x1000 u8 t_ns"),
    MEMORY_TAGS: _dtype(
        "u8 t_ns u4 process u4 tag u8 allocations u8 allocated_bytes u8 frees u8 freed_bytes i8 live_bytes u8 r0"
    ),
    MEMORY: _dtype("u8 t_ns u4 process u4 r0 u8 rss u8 rss_peak u8 read_bytes u8 written_bytes"),
    ANCHORS: _dtype("u8 ticks u8 monotonic_ns u8 boottime_ns u8 realtime_ns"),
}


@dataclass
class Rows:
    """Everything drained so far, by table."""

    payloads: dict[int, bytes] = field(default_factory=dict)
    totals: ProbeTotals = field(default_factory=lambda: ProbeTotals(cpu_share=0.1))
    memory: ProcessMemory | None = None

    def take(self, sampler: Sampler, last: bool = False) -> None:
        """Drain the sampler into this, and the totals of the probes it found."""
        drained = sampler.drain()
        self._add(drained)
        pid = next((int(line["pid"]) for line in self.lines(PROCESSES) if "pid" in line), None)
        if pid is None:
            return
        self.memory = self.memory or ProcessMemory(pid)
        self._add(self.memory.take(drained, time.monotonic_ns()))
        for process, memory in sampler.probes():
            self.totals.follow(process, memory, pid)
        self._add(self.totals.take(last))

    def _add(self, frames: list[tuple[int, bytes]]) -> None:
        for table, payload in frames:
            self.payloads[table] = self.payloads.get(table, b"") + payload

    def packed(self, table: int) -> np.ndarray[Any, Any]:
        """Rows of a packed table; the payload must be whole rows."""
        return np.frombuffer(self.payloads.get(table, b""), DTYPES[table])

    def lines(self, table: int) -> list[dict[str, Any]]:
        """Rows of a table of JSON lines."""
        return [
            json.loads(line) for line in self.payloads.get(table, b"").decode("utf-8", "replace").split("\n") if line
        ]

    @property
    def threads(self) -> dict[int, dict[str, Any]]:
        """The last line of each thread."""
        return {line["thread"]: line for line in self.lines(THREADS)}

    @property
    def processes(self) -> dict[int, dict[str, Any]]:
        """What all lines of each process say together."""
        found: dict[int, dict[str, Any]] = {}
        for line in self.lines(PROCESSES):
            found.setdefault(line["process"], {}).update(line)
        return found

    @property
    def ns_per_tick(self) -> float:
        """Of the probes' clock, by the first and the last anchor."""
        anchors = self.packed(ANCHORS)
        first, last = anchors[0], anchors[-1]
        return float(last["monotonic_ns"] - first["monotonic_ns"]) / float(last["ticks"] - first["ticks"])

    def in_node(self, records: np.ndarray[Any, Any], node: int) -> np.ndarray[Any, Any]:
        """Whether each record in the probe's memory is one of the node's."""
        return np.isin(records, [line["record"] for line in self.lines(SCOPE_NODES) if line.get("node") == node])

    @cached_property
    def _frames(self) -> dict[int, tuple[str, int]]:
        codes: dict[int, Code] = {}
        frames: dict[int, tuple[str, int]] = {}
        for line in self.lines(FRAMES):
            if "frame" in line:
                code = codes[line["code"]]
                frames[line["frame"]] = code.function, code.line(line["unit"])
            else:
                codes[line["code"]] = Code.of(line)
        return frames

    @cached_property
    def _stacks(self) -> dict[int, tuple[int, int]]:
        return {int(row["stack"]): (int(row["parent"]), int(row["frame"])) for row in self.packed(STACKS)}

    def places(self, stack: int) -> list[tuple[str, int]]:
        """Functions and lines of a stack, leaf first."""
        found = []
        while stack != NONE:
            stack, frame = self._stacks[stack]
            found.append(self._frames[frame])
        return found

    def functions(self, stack: int) -> list[str]:
        """Functions of a stack, leaf first."""
        return [function for function, _ in self.places(stack)]

    def share(self, function: str) -> float:
        """Part of all looks' weight whose stack holds the function."""
        looks = self.packed(LOOKS)
        inside = [function in self.functions(int(stack)) for stack in looks["py_stack"]]
        return float(looks["weight_ns"][inside].sum() / looks["weight_ns"].sum())


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Poll the condition; fail when it does not come true in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        pause.wait(0.02)


def observe(command: list[str], **options: Any) -> tuple[Rows, Sampler, str]:
    """Run a command to its end under a sampler; returns rows, the sampler and standard output."""
    rows = Rows()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        sampler = Sampler(process.pid, **options)
        sampler.start()
        until(lambda: rows.take(sampler) or not sampler.alive(), 60)
        assert process.stdout is not None
        output = process.stdout.read()
    sampler.stop()
    rows.take(sampler, last=True)
    return rows, sampler, output


@contextmanager
def observed(command: list[str], **options: Any) -> Iterator[tuple[subprocess.Popen[str], Sampler]]:
    """Start a command that talks over pipes and a sampler on it; both end with the block."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        sampler = Sampler(process.pid, **options)
        sampler.start()
        try:
            yield process, sampler
        finally:
            sampler.stop()
            process.kill()


def _version(python: str) -> tuple[int, int]:
    found = subprocess.run(
        [python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True
    ).stdout.split()
    return int(found[0]), int(found[1])


def _interpreters() -> list[str]:
    """Find CPython installations: this one, the system's, and those of pyenv."""
    places = [Path(sys.executable).resolve(), Path("/usr/bin/python3")]
    places += sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python3"))
    unique = {str(place.resolve()): str(place) for place in places if place.exists()}
    return list(unique.values())


ALL = {python: _version(python) for python in _interpreters()}
SUPPORTED = [python for python, version in ALL.items() if (3, 11) <= version <= (3, 13)]
UNSUPPORTED = [python for python, version in ALL.items() if not (3, 11) <= version <= (3, 13)]
