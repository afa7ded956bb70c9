"""The figures of the live view, from rows as samplers write them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from storeprof.live.feed import WINDOW_NS, Feed
from storeprof.live.snapshot import Focus, Snapshot, take_snapshot
from storeprof.recording.schema import JOURNAL_DTYPES, NONE, JournalTable

SECOND = 1_000_000_000
NOW = 100 * SECOND
FUTEX, FSYNC = 202, 74
RUNNING = {"state": ord("R"), "syscall": -2}
LOCKED = {"state": ord("S"), "syscall": FUTEX, "arg0": 0x10, "arg1": 0x80, "arg2": 2}  # a contended mutex of glibc
SYNCING = {"state": ord("D"), "syscall": FSYNC}
WAITING = {"state": ord("S"), "syscall": FUTEX, "arg1": 0x189, "arg2": 0}  # a condition


class Program:
    """A process with threads, whose rows go into a feed."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.lines(JournalTable.PROCESSES, {"process": 0, "pid": 10, "python": None})

    def lines(self, table: JournalTable, *rows: dict[str, Any]) -> None:
        """JSON lines."""
        self.feed.append(table, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def rows(self, table: JournalTable, *rows: dict[str, Any]) -> None:
        """Packed rows; what isn't named is 0."""
        packed = np.zeros(len(rows), dtype=JOURNAL_DTYPES[table])
        for at, row in enumerate(rows):
            for name, value in row.items():
                packed[at][name] = value
        self.feed.append(table, packed.tobytes())

    def thread(self, number: int, run_s: float, *looks: dict[str, Any]) -> None:
        """A thread that was looked at evenly over the window, and ran for `run_s` of it."""
        self.lines(JournalTable.THREADS, {"thread": number, "process": 0, "tid": 10 + number, "name": f"t{number}"})
        each = WINDOW_NS // len(looks)
        some = {"thread": number, "weight_ns": each, "resource": NONE, "py_stack": NONE, "holder": NONE}
        self.rows(
            JournalTable.LOOKS,
            *({**some, "t_ns": NOW - WINDOW_NS + (at + 1) * each, **look} for at, look in enumerate(looks)),
        )
        self.rows(
            JournalTable.THREAD_TIME,
            {"thread": number, "t_ns": NOW - WINDOW_NS},
            {"thread": number, "t_ns": NOW, "run_ns": int(run_s * SECOND)},
        )

    def snapshot(self, focus: Focus | None = None) -> Snapshot:
        """The figures now."""
        self.feed.forget(NOW)
        return take_snapshot(self.feed, NOW, focus or Focus())


def test_looks_divide_what_the_kernel_counted() -> None:
    """Three looks of five on the CPU, and a kernel that says two seconds: two seconds of CPU, three of waiting."""
    program = Program()
    program.thread(0, 2.0, RUNNING, LOCKED, RUNNING, LOCKED, RUNNING)
    shown = program.snapshot()
    assert shown.wall == pytest.approx({"cpu": 2.0, "lock": 3.0})
    assert shown.cpu == pytest.approx(0.4)
    assert shown.threads[0].doing == "running"


def test_a_wait_says_what_for() -> None:
    """The last look tells what a thread does now: which lock, which file."""
    program = Program()
    program.lines(JournalTable.RESOURCES, {"resource": 0, "name": "/data/wal.log"})
    program.thread(0, 0.0, RUNNING, SYNCING | {"resource": 0})
    program.thread(1, 0.0, RUNNING, LOCKED)
    doing = {row.tid: row.doing for row in program.snapshot().threads}
    assert doing == {10: "disk wal.log", 11: "lock lock at 0x10"}


def test_a_thread_that_waits_for_work_is_idle() -> None:
    """A native thread in a condition that hardly runs is in no wall time; one that works in between is."""
    program = Program()
    program.thread(0, 0.0, WAITING, WAITING)
    assert program.snapshot().wall == {}
    program.thread(1, 1.0, WAITING, RUNNING)
    assert program.snapshot().wall == pytest.approx({"cpu": 1.0, "dependency": 4.0})


def test_what_was_counted_before_is_in_no_rate() -> None:
    """A probe that had counted a million operations shows those since: 50 in the last second."""
    program = Program()
    node = {"node": 1, "process": 0, "record": 8, "parent": 0, "name": "put", "file": "", "line": 0}
    program.lines(JournalTable.SCOPE_NODES, node)
    program.rows(JournalTable.SCOPE_COUNTS, {"t_ns": NOW - SECOND, "node": 1, "count": 1_000_000})
    program.rows(JournalTable.SCOPE_HISTOGRAMS, {"t_ns": NOW, "node": 1, "bucket": 20, "count": 50})
    program.rows(JournalTable.SCOPE_COUNTS, {"t_ns": NOW, "node": 1, "count": 1_000_050})
    [operation] = program.snapshot().operations
    assert operation.per_s == pytest.approx(50)
    assert operation.p50_s is not None
    assert operation.p99_s is None  # not ten operations beyond it


def test_a_focus_narrows_wall_time_to_one_thread() -> None:
    """With a thread in focus the bar is its own, and all threads stay in the list."""
    program = Program()
    program.thread(0, 5.0, RUNNING, RUNNING)
    program.thread(1, 0.0, LOCKED, LOCKED)
    shown = program.snapshot(Focus(tid=11))
    assert set(shown.wall) == {"lock"}
    assert len(shown.threads) == 2


def test_only_the_last_seconds_are_kept() -> None:
    """Older looks are let go, and a thread that ended goes with its last look."""
    program = Program()
    program.thread(0, 1.0, RUNNING, RUNNING)
    program.feed.forget(NOW + 2 * WINDOW_NS)
    assert not any(program.feed.processes[0].looks.values())
    program.lines(JournalTable.THREADS, {"thread": 0, "ended_ns": NOW})
    program.feed.forget(NOW + 2 * WINDOW_NS)
    assert program.feed.processes[0].names.threads == {}


def test_rows_of_a_later_version_are_passed_over() -> None:
    """A table that this version does not know is no error."""
    program = Program()
    program.feed.append(4711, b"\x00" * 8)
    assert program.snapshot().threads == ()
