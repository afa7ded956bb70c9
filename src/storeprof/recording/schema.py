"""Layouts of the journal and of the tables, as numbers and names (docs/formats/ has the words).

Everything here is a table; it grows with the formats, not with logic.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

FORMAT_VERSION = 1
JOURNAL_MAGIC = b"SPJRNL\x02\x00"
NONE = 0xFFFFFFFF
UNKNOWN_BYTES = 0xFFFFFFFFFFFFFFFF


class JournalTable(IntEnum):
    """Table numbers of journal frames."""

    LOOKS = 1
    THREAD_TIME = 2
    THREADS = 3
    FRAMES = 4
    STACKS = 5
    RESOURCES = 6
    SCOPE_NODES = 7
    SCOPE_COUNTS = 8
    SCOPE_HISTOGRAMS = 9
    OPERATIONS = 10
    MEMORY_TAGS = 11
    MEMORY = 12
    ANCHORS = 13
    PROCESSES = 14
    NOTES = 15
    PROBE_SLICES = 26
    ALLOCATIONS = 24
    ALLOCATION_MAPS = 25


def _packed(*fields: tuple[str, str]) -> np.dtype[np.void]:
    return np.dtype([(name, "<" + kind) for name, kind in fields], align=False)


JOURNAL_DTYPES: dict[JournalTable, np.dtype[np.void]] = {
    JournalTable.LOOKS: _packed(
        ("t_ns", "u8"), ("thread", "u4"), ("weight_ns", "u4"), ("arg0", "u8"), ("arg1", "u8"),
        ("syscall", "i2"), ("state", "u1"), ("flags", "u1"), ("py_status", "u1"), ("reserved0", "u1"),
        ("faults", "u2"), ("arg2", "u4"), ("holder", "u4"), ("resource", "u4"), ("py_stack", "u4"),
        ("scope_record", "u4"), ("op_seq", "u4"), ("stack_pointer", "u8"),
    ),
    JournalTable.THREAD_TIME: _packed(
        ("thread", "u4"), ("reserved", "u4"), ("t_ns", "u8"), ("run_ns", "u8"), ("delay_ns", "u8"),
        ("minflt", "u8"), ("majflt", "u8"), ("voluntary_switches", "u8"), ("involuntary_switches", "u8"),
        ("slices", "u8"),
    ),
    JournalTable.STACKS: _packed(("stack", "u4"), ("parent", "u4"), ("frame", "u4")),
    JournalTable.SCOPE_COUNTS: _packed(
        ("t_ns", "u8"), ("process", "u4"), ("node", "u4"), ("flags", "u4"), ("reserved", "u4"), ("count", "u8"),
        ("total_ticks", "u8"), ("self_ticks", "u8"), ("min_ticks", "u8"), ("max_ticks", "u8"),
        ("sum_squares_ticks2", "f8"), ("timed", "u8"),
    ),
    JournalTable.SCOPE_HISTOGRAMS: _packed(("t_ns", "u8"), ("node", "u4"), ("bucket", "u2"), ("count", "u2")),
    JournalTable.OPERATIONS: _packed(
        ("thread", "u4"), ("op_seq", "u4"), ("record", "u4"), ("hit", "u4"), ("start_ticks", "u8"),
        ("duration_ticks", "u8"), ("weight_x1000", "u8"), ("t_ns", "u8"),
    ),
    JournalTable.MEMORY_TAGS: _packed(
        ("t_ns", "u8"), ("process", "u4"), ("tag", "u4"), ("allocations", "u8"), ("allocated_bytes", "u8"),
        ("frees", "u8"), ("freed_bytes", "u8"), ("live_bytes", "i8"), ("peak_most_bytes", "u8"),
    ),
    JournalTable.PROBE_SLICES: _packed(
        ("t_ns", "u8"), ("process", "u4"), ("block", "u4"), ("number", "u4"), ("operations", "u4"),
        ("counted_only", "u4"), ("reserved", "u4"), ("cpu_ns", "u8"),
    ),
    JournalTable.MEMORY: _packed(
        ("t_ns", "u8"), ("process", "u4"), ("reserved", "u4"), ("rss_bytes", "u8"), ("rss_peak_bytes", "u8"),
        ("read_bytes", "u8"), ("written_bytes", "u8"),
    ),
    JournalTable.ANCHORS: _packed(
        ("ticks", "u8"), ("monotonic_ns", "u8"), ("boottime_ns", "u8"), ("realtime_ns", "u8"),
    ),
    JournalTable.ALLOCATIONS: _packed(
        ("kind", "u4"), ("tid", "u4"), ("t_ns", "u8"), ("pointer", "u8"), ("bytes", "u8"), ("weight_bytes", "u8"),
        ("stack", "u8"), ("mean_bytes", "u8"), ("pid", "u4"), ("reserved", "u4"),
    ),
}  # fmt: skip

JSON_TABLES = frozenset(
    {
        JournalTable.THREADS,
        JournalTable.FRAMES,
        JournalTable.RESOURCES,
        JournalTable.SCOPE_NODES,
        JournalTable.PROCESSES,
        JournalTable.NOTES,
        JournalTable.ALLOCATION_MAPS,
    }
)

# What a thread did when it was looked at (`looks.reason`), and how well its Python stack could be read (`quality`).
REASONS = (
    "running", "gil", "lock", "file-lock", "disk", "page-fault", "network-send", "network-receive", "network-accept",
    "pipe-read", "pipe-write", "queue-get", "queue-put", "condition", "event", "result", "join", "child", "sleep",
    "poll", "unknown",
)  # fmt: skip
QUALITIES = ("none", "ok", "leaf-moved", "partial", "torn")

# Columns of the Parquet tables, in order, with their SQL types. A column is only ever added, at the end.
TABLES: dict[str, dict[str, str]] = {
    "processes": {
        "proc_id": "BIGINT", "pid": "INTEGER", "start_ticks": "BIGINT", "exec": "INTEGER", "exe": "VARCHAR",
        "python": "VARCHAR", "python_why": "VARCHAR", "probe": "BOOLEAN", "ticks_per_s": "DOUBLE",
        "probe_floor_ns": "DOUBLE", "ppid": "INTEGER", "name": "VARCHAR", "counted_floor_ns": "DOUBLE",
        "tag_floor_ns": "DOUBLE", "function_floor_ns": "DOUBLE", "block_floor_ns": "DOUBLE",
        "tag_call_floor_ns": "DOUBLE", "detached": "VARCHAR", "detached_ns": "BIGINT",
    },
    "threads": {
        "thread_id": "BIGINT", "proc_id": "BIGINT", "tid": "INTEGER", "start_ticks": "BIGINT", "name": "VARCHAR",
        "first_ns": "BIGINT", "last_ns": "BIGINT",
    },
    "looks": {
        "t_ns": "BIGINT", "thread_id": "BIGINT", "weight_ns": "BIGINT", "state": "VARCHAR", "reason": "VARCHAR",
        "syscall": "INTEGER", "arg0": "UBIGINT", "arg1": "UBIGINT", "resource_id": "INTEGER",
        "holder_thread_id": "BIGINT", "scope_node": "INTEGER", "op_seq": "BIGINT", "py_stack_id": "INTEGER",
        "quality": "VARCHAR", "gc": "BOOLEAN", "faults": "INTEGER",
    },
    "thread_time": {
        "thread_id": "BIGINT", "t0_ns": "BIGINT", "t1_ns": "BIGINT", "run_ns": "BIGINT", "delay_ns": "BIGINT",
        "minflt": "BIGINT", "majflt": "BIGINT", "voluntary_switches": "BIGINT", "involuntary_switches": "BIGINT",
    },
    "cpu_samples": {
        "t_ns": "BIGINT", "thread_id": "BIGINT", "weight_ns": "BIGINT", "stack_id": "INTEGER", "source": "VARCHAR",
    },
    "switch_samples": {
        "t_ns": "BIGINT", "thread_id": "BIGINT", "state": "VARCHAR", "stack_id": "INTEGER", "source": "VARCHAR",
    },
    "stacks": {"stack_id": "INTEGER", "parent_id": "INTEGER", "frame_id": "INTEGER"},
    "frames": {
        "frame_id": "INTEGER", "kind": "VARCHAR", "function": "VARCHAR", "module": "VARCHAR", "file": "VARCHAR",
        "line": "INTEGER", "first_line": "INTEGER", "binary": "VARCHAR", "library": "BOOLEAN",
    },
    "resources": {"resource_id": "INTEGER", "kind": "VARCHAR", "name": "VARCHAR", "dev": "BIGINT", "ino": "BIGINT"},
    "scope_nodes": {
        "node": "INTEGER", "proc_id": "BIGINT", "parent": "INTEGER", "name": "VARCHAR", "file": "VARCHAR",
        "line": "INTEGER", "flags": "INTEGER",
    },
    "scope_slices": {
        "proc_id": "BIGINT", "node": "INTEGER", "t0_ns": "BIGINT", "t1_ns": "BIGINT", "count": "BIGINT",
        "estimated_count": "DOUBLE", "total_ns": "BIGINT", "self_ns": "BIGINT", "min_ns": "BIGINT",
        "max_ns": "BIGINT", "timed": "BIGINT",
    },
    "scope_histograms": {
        "node": "INTEGER", "t1_ns": "BIGINT", "low_ns": "DOUBLE", "high_ns": "DOUBLE", "count": "BIGINT",
    },
    "operations": {
        "thread_id": "BIGINT", "op_seq": "BIGINT", "node": "INTEGER", "start_ns": "BIGINT", "duration_ns": "BIGINT",
        "hit": "BOOLEAN", "weight": "DOUBLE",
    },
    "lock_stays": {
        "proc_id": "BIGINT", "lock": "VARCHAR", "kind": "VARCHAR", "node": "INTEGER", "t0_ns": "BIGINT",
        "t1_ns": "BIGINT", "count": "BIGINT", "timed": "BIGINT", "total_ns": "BIGINT", "max_ns": "BIGINT",
    },
    "probe_slices": {
        "proc_id": "BIGINT", "block": "INTEGER", "number": "BIGINT", "t1_ns": "BIGINT", "operations": "BIGINT",
        "counted_only": "BOOLEAN", "cpu_ns": "BIGINT",
    },
    "probes": {
        "proc_id": "BIGINT", "name": "VARCHAR", "full_name": "VARCHAR", "function": "VARCHAR", "file": "VARCHAR",
        "line": "INTEGER", "calls": "BIGINT",
    },
    "memory": {
        "t_ns": "BIGINT", "proc_id": "BIGINT", "kind": "VARCHAR", "bytes": "BIGINT",
    },
    "memory_tags": {
        "t_ns": "BIGINT", "proc_id": "BIGINT", "tag": "VARCHAR", "allocations": "BIGINT", "allocated_bytes": "BIGINT",
        "frees": "BIGINT", "freed_bytes": "BIGINT", "live_bytes": "BIGINT", "peak_most_bytes": "BIGINT",
    },
    "memory_tag_paths": {
        "t_ns": "BIGINT", "proc_id": "BIGINT", "tag": "VARCHAR", "node": "INTEGER", "allocations": "BIGINT",
        "allocated_bytes": "BIGINT", "frees": "BIGINT", "freed_bytes": "BIGINT",
    },
    "allocations": {
        "t_ns": "BIGINT", "proc_id": "BIGINT", "thread_id": "BIGINT", "bytes": "BIGINT", "weight_bytes": "BIGINT",
        "stack_id": "INTEGER", "freed_ns": "BIGINT",
    },
    "pass_figures": {
        "pass": "VARCHAR", "collector": "VARCHAR", "collects": "VARCHAR", "figure": "VARCHAR", "value": "DOUBLE",
        "unit": "VARCHAR", "function": "VARCHAR", "file": "VARCHAR", "line": "INTEGER", "stack": "VARCHAR",
    },
    "allocation_sites": {
        "proc_id": "BIGINT", "source": "VARCHAR", "kind": "VARCHAR", "thread_id": "BIGINT", "stack_id": "INTEGER",
        "name": "VARCHAR", "count": "BIGINT", "bytes": "BIGINT",
    },
    "heap_objects": {
        "proc_id": "BIGINT", "source": "VARCHAR", "zone": "VARCHAR", "name": "VARCHAR", "type": "VARCHAR",
        "binary": "VARCHAR", "count": "BIGINT", "bytes": "BIGINT",
    },
    "memory_regions": {
        "proc_id": "BIGINT", "source": "VARCHAR", "kind": "VARCHAR", "name": "VARCHAR", "start_address": "UBIGINT",
        "end_address": "UBIGINT", "virtual_bytes": "BIGINT", "resident_bytes": "BIGINT", "dirty_bytes": "BIGINT",
        "swapped_bytes": "BIGINT", "regions": "BIGINT", "allocations": "BIGINT", "allocated_bytes": "BIGINT",
        "fragmentation_bytes": "BIGINT", "protection": "VARCHAR", "share_mode": "VARCHAR", "detail": "VARCHAR",
    },
    "call_totals": {
        "proc_id": "BIGINT", "source": "VARCHAR", "kind": "VARCHAR", "name": "VARCHAR", "file": "VARCHAR",
        "binary": "VARCHAR", "calls": "BIGINT", "errors": "BIGINT", "self_ns": "BIGINT", "total_ns": "BIGINT",
    },
    "distributions": {
        "proc_id": "BIGINT", "source": "VARCHAR", "name": "VARCHAR", "low": "DOUBLE", "high": "DOUBLE",
        "count": "BIGINT",
    },
    "event_samples": {
        "t_ns": "BIGINT", "thread_id": "BIGINT", "event": "VARCHAR", "count": "BIGINT", "stack_id": "INTEGER",
        "source": "VARCHAR",
    },
}  # fmt: skip
