"""What else lies along the time of a run: single operations that were kept as samples, and resident memory."""

from __future__ import annotations

from dataclasses import dataclass

from storeprof.analysis.accounting.looks import index_of
from storeprof.exports.busy_time import BusyTime

MOST_OPERATIONS = 20_000


@dataclass(frozen=True, slots=True)
class OperationSample:
    """One operation that was kept: of which thread (index), and when."""

    thread: int
    name: str
    start_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Resident memory of a process at one time."""

    pid: int
    t_ns: int
    bytes: int


def operation_samples(busy: BusyTime) -> list[OperationSample]:
    """Sampled operations of the window in order of time; the longest of them where there are too many to draw."""
    recording = busy.context.recording
    rows = recording.sql(
        """
        SELECT thread_id, node, start_ns, duration_ns FROM (
            SELECT * FROM operations WHERE start_ns >= ? AND start_ns + duration_ns <= ? AND duration_ns > 0
            ORDER BY duration_ns DESC LIMIT ?
        ) ORDER BY start_ns
        """,
        [busy.start_ns, busy.end_ns, MOST_OPERATIONS],
    )
    thread = index_of(busy.context.looks.thread_ids, rows["thread_id"]).tolist()
    columns = (rows[name].tolist() for name in ("node", "start_ns", "duration_ns"))
    return [
        OperationSample(at, busy.operation_of(node) or f"scope {node}", start, duration)
        for at, node, start, duration in zip(thread, *columns, strict=True)
        if at >= 0
    ]


def memory_readings(busy: BusyTime) -> list[MemoryReading]:
    """Resident memory of every process in the window, in order of time."""
    rows = busy.context.recording.sql(
        "SELECT p.pid, m.t_ns, m.bytes FROM memory m JOIN processes p USING (proc_id) "
        "WHERE m.kind = 'rss' AND m.t_ns BETWEEN ? AND ? ORDER BY m.t_ns",
        [busy.start_ns, busy.end_ns],
    )
    columns = (rows[name].tolist() for name in ("pid", "t_ns", "bytes"))
    return [MemoryReading(*values) for values in zip(*columns, strict=True)]
