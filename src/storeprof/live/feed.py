"""Rows of the samplers, kept for the last seconds: what a journal is to a recording.

`Samplers` writes frames here as it would into `journal.bin`; names are kept for good, everything else for `WINDOW_NS`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.live.names import Names, Situation, json_lines
from storeprof.live.scopes import Scopes
from storeprof.observe.classify import DESCRIPTOR_CALLS
from storeprof.recording.schema import JOURNAL_DTYPES, JSON_TABLES, NONE, JournalTable

WINDOW_NS = 5_000_000_000
MEMORY_NS = 120_000_000_000
_KNOWN = frozenset(int(table) for table in JournalTable)
_FUTEX = 202
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a thread: when, for how long it stands, why the thread was there, and in which operation."""

    t_ns: int
    weight_ns: int
    reason: str
    stack: int
    resource: str | None
    holder: int
    in_operation: bool
    record: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The kernel's counters of a thread at a time."""

    t_ns: int
    run_ns: int
    delay_ns: int


class ProcessFeed:
    """The last seconds of one process."""

    def __init__(self) -> None:
        self.names = Names()
        self.scopes = Scopes(WINDOW_NS)
        self.pid: int | None = None
        self.about: dict[str, Any] = {}
        self.looks: dict[int, deque[Look]] = {}
        self.totals: dict[int, deque[Totals]] = {}
        self.memory: deque[tuple[int, int, int]] = deque()  # time, resident, peak
        self._first_anchor: tuple[int, int] | None = None

    def take(self, table: int, payload: bytes) -> None:
        """Keep one frame of the journal; a table of a later version is passed over."""
        if table not in _KNOWN:
            return
        kind = JournalTable(table)
        if kind in JSON_TABLES:
            self._lines(kind, payload)
        elif kind in JOURNAL_DTYPES:
            self._rows(kind, np.frombuffer(payload, JOURNAL_DTYPES[kind]))

    def forget(self, now_ns: int) -> None:
        """Let go of what is older than the window; of totals, the last before it stays."""
        start = now_ns - WINDOW_NS
        for looks in self.looks.values():
            while looks and looks[0].t_ns < start:
                looks.popleft()
        for totals in self.totals.values():
            while len(totals) > 1 and totals[1].t_ns <= start:
                totals.popleft()
        while len(self.memory) > 1 and self.memory[0][0] < now_ns - MEMORY_NS:
            self.memory.popleft()
        for thread, row in list(self.names.threads.items()):
            if "ended_ns" in row and not self.looks.get(thread):
                for kept in (self.names.threads, self.looks, self.totals):
                    kept.pop(thread, None)

    def _lines(self, kind: JournalTable, payload: bytes) -> None:
        if kind == JournalTable.FRAMES:
            self.names.learn_frames(payload)
        elif kind == JournalTable.THREADS:
            self.names.learn_threads(payload)
        elif kind == JournalTable.RESOURCES:
            self.names.learn_resources(payload)
        elif kind == JournalTable.SCOPE_NODES:
            self.scopes.learn_nodes(payload)
        elif kind == JournalTable.PROCESSES:
            for row in json_lines(payload):
                self.about.update(row)
            self.pid = self.about.get("pid", self.pid)

    def _rows(self, kind: JournalTable, rows: Array) -> None:
        if not len(rows):
            return
        if kind == JournalTable.LOOKS:
            self._look(rows)
        elif kind == JournalTable.STACKS:
            self.names.learn_stacks(rows.tolist())
        elif kind == JournalTable.THREAD_TIME:
            columns = (rows[name].tolist() for name in ("thread", "t_ns", "run_ns", "delay_ns"))
            for thread, *counters in zip(*columns, strict=True):
                self.totals.setdefault(thread, deque()).append(Totals(*counters))
        elif kind == JournalTable.SCOPE_COUNTS:
            self.scopes.count(rows)
        elif kind == JournalTable.SCOPE_HISTOGRAMS:
            self.scopes.measure(rows)
        elif kind == JournalTable.ANCHORS:
            self._anchor(int(rows["ticks"][-1]), int(rows["monotonic_ns"][-1]))
        elif kind == JournalTable.MEMORY:
            columns = (rows[name].tolist() for name in ("t_ns", "rss_bytes", "rss_peak_bytes"))
            self.memory.extend(zip(*columns, strict=True))

    def _look(self, rows: Array) -> None:
        names = (
            "thread", "t_ns", "weight_ns", "state", "syscall", "arg1", "arg2", "flags", "resource", "py_stack",
            "holder", "op_seq", "scope_record", "arg0",
        )  # fmt: skip
        for row in zip(*(rows[name].tolist() for name in names), strict=True):
            thread, t_ns, weight, state, syscall, arg1, arg2, flags, resource, stack, holder, op_seq, record, arg0 = row
            known = resource if syscall in DESCRIPTOR_CALLS else NONE
            # The third argument tells a few values apart; the others would only fill the memory of situations.
            reason = self.names.reason(Situation(state, syscall, arg1, min(arg2, 4), flags & 1, known, stack))
            named = self.names.resources[known][1] if known in self.names.resources else None
            if reason == "lock" and syscall == _FUTEX:
                named = f"lock at {arg0:#x}"
            look = Look(t_ns, weight, reason, stack, named, holder, op_seq != 0, record)
            self.looks.setdefault(thread, deque()).append(look)

    def _anchor(self, ticks: int, at_ns: int) -> None:
        if self.about.get("clock", 1) != 1:
            return  # the probe counts nanoseconds
        if self._first_anchor is None:
            self._first_anchor = (ticks, at_ns)
        elif ticks > self._first_anchor[0]:
            self.scopes.ns_per_tick = (at_ns - self._first_anchor[1]) / (ticks - self._first_anchor[0])


class Feed:
    """Processes by the number of their sampler; written to as a journal is."""

    def __init__(self) -> None:
        self.processes: dict[int, ProcessFeed] = {}

    def append(self, table: int, payload: bytes, sampler: int = 0) -> None:
        """Keep one frame."""
        if payload:
            self.processes.setdefault(sampler, ProcessFeed()).take(table, payload)

    def append_all(self, frames: Iterable[tuple[int, bytes]], sampler: int = 0) -> None:
        """Keep frames as a sampler drained them."""
        for table, payload in frames:
            self.append(table, payload, sampler)

    def forget(self, now_ns: int) -> None:
        """Let go of what is too old, and of processes that have nothing left."""
        for number, one in list(self.processes.items()):
            one.forget(now_ns)
            if one.names.threads == {} and one.pid is not None and number:
                del self.processes[number]
