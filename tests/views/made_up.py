"""A small recording with known contents: two threads, one lock, one file, one operation, hostile names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from storeprof.analysis.context import Context, build_context
from storeprof.analysis.settings import Settings
from storeprof.recording.model import Recording, write_meta
from storeprof.recording.schema import TABLES
from storeprof.recording.tables import integers, strings, write_table

MS = 1_000_000
START = 1_000_000 * MS
SECONDS = 4
EACH_MS = 5
HOSTILE = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=2</script>'

# Stacks by id, as (parent, frame): main > put > checksum, main > put > sync, main > grow.
_STACKS = ((None, 0), (0, 1), (1, 2), (1, 3), (0, 4))
_FUNCTIONS = ("main", "Store.put", "checksum", "Wal.sync", HOSTILE)


def make(folder: Path, native: bool = False) -> Path:
    """Write the recording; `native`: of C++ that perf sampled, so that looks on the CPU have no stack.

    Thread 1 spends 50 % in `checksum`, 25 % in `sync` waiting for a file, 25 % waiting for a lock in `put`; while it
    waits for the lock thread 2 runs `grow`, which is all that thread 2 does in that time and sleeps otherwise.
    """
    (folder / "tables").mkdir(parents=True)
    connection = duckdb.connect()
    tables = _native(_tables()) if native else _tables()
    for name in TABLES:
        write_table(connection, folder / "tables", name, tables.get(name, {}))
    write_meta(
        folder,
        {
            "format": 1, "state": "complete", "id": "made-up", "command": ["engine", HOSTILE], "window": None,
            "started_ns": START, "ended_ns": START + SECONDS * 1000 * MS, "storeprof": "0",
            "machine": {"cpus_usable": 2, "boot_id": "none"}, "collectors": [], "program_counts": [],
        },
    )  # fmt: skip
    return folder


def _native(tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same of native code: stacks come from perf, 1 ms apart, and the probe of `put` has a place."""
    looks, count = tables["looks"], SECONDS * 1000
    looks["py_stack_id"] = integers([None] * len(looks["t_ns"]))
    looks["quality"] = strings(["none"] * len(looks["t_ns"]))
    tables["processes"]["python"] = strings([None])
    tables["frames"]["kind"] = strings(["native"] * len(_FUNCTIONS))
    tables["scope_nodes"] |= {"file": strings(["engine.py"]), "line": np.array([12])}
    tables["cpu_samples"] = {
        "t_ns": START + np.arange(count) * MS + MS // 2,
        "thread_id": np.ones(count, dtype=np.int64),
        "weight_ns": np.full(count, MS // 2),
        "stack_id": np.full(count, 2),
        "source": strings(["perf"] * count),
    }
    return tables


def context(folder: Path) -> Context:
    """The accounts of the recording."""
    return build_context(Recording.open(folder), Settings())


def _tables() -> dict[str, dict[str, Any]]:
    rounds = SECONDS * 1000 // EACH_MS
    at = START + np.arange(rounds) * EACH_MS * MS + MS
    part = np.arange(rounds) % 4  # 0, 1: checksum; 2: sync; 3: waiting for the lock
    first = {
        "reason": np.array(["running", "running", "disk", "lock"], dtype=object)[part],
        "stack": np.array([2, 2, 3, 1])[part],
        "resource": [int(one) - 2 if one >= 2 else None for one in part],
        "syscall": [{2: 74, 3: 202}.get(int(one)) for one in part],
    }
    second = {
        "reason": np.where(part == 3, "running", "sleep").astype(object),
        "stack": np.full(rounds, 4),
        "resource": [None] * rounds,
        "syscall": [None if one == 3 else 230 for one in part],
    }
    edges = START + np.arange(SECONDS * 4) * 250 * MS
    slices = START + np.arange(SECONDS) * 1000 * MS
    return {
        "processes": {
            "proc_id": np.array([1]),
            "pid": np.array([10]),
            "python": strings(["3.11"]),
            "exec": np.array([0]),
            "name": strings([HOSTILE]),
        },
        "threads": {
            "thread_id": np.array([1, 2]),
            "proc_id": np.array([1, 1]),
            "tid": np.array([10, 11]),
            "name": strings(["writer", "grower"]),
            "first_ns": np.array([START, START + 1]),
            "last_ns": np.full(2, START + SECONDS * 1000 * MS),
        },
        "looks": {
            "t_ns": np.concatenate([at, at + 1000]),
            "thread_id": np.repeat([1, 2], rounds),
            "weight_ns": np.full(2 * rounds, EACH_MS * MS),
            "state": strings(["S"] * (2 * rounds)),
            "reason": np.concatenate([first["reason"], second["reason"]]),
            "syscall": integers([*first["syscall"], *second["syscall"]]),
            "resource_id": integers([*first["resource"], *second["resource"]]),
            "scope_node": integers([1] * rounds + [None] * rounds),
            "op_seq": integers([1 + n // 4 for n in range(rounds)] + [None] * rounds),
            "py_stack_id": np.concatenate([first["stack"], second["stack"]]),
            "quality": strings(["ok"] * (2 * rounds)),
        },
        "thread_time": {
            "thread_id": np.repeat([1, 2], len(edges)),
            "t0_ns": np.tile(edges, 2),
            "t1_ns": np.tile(edges + 250 * MS, 2),
            "run_ns": np.repeat([125 * MS, 62_500_000], len(edges)),
            "delay_ns": np.zeros(2 * len(edges), dtype=np.int64),
        },
        "stacks": {
            "stack_id": np.arange(len(_STACKS)),
            "parent_id": integers([parent for parent, _ in _STACKS]),
            "frame_id": np.array([frame for _, frame in _STACKS]),
        },
        "frames": {
            "frame_id": np.arange(len(_FUNCTIONS)),
            "kind": strings(["python"] * len(_FUNCTIONS)),
            "function": strings(list(_FUNCTIONS)),
            "file": strings(["engine.py"] * len(_FUNCTIONS)),
            "line": np.arange(len(_FUNCTIONS)) * 10 + 5,
            "first_line": np.arange(len(_FUNCTIONS)) * 10 + 1,
            "library": np.zeros(len(_FUNCTIONS), dtype=bool),
        },
        "resources": {
            "resource_id": np.array([0, 1]),
            "kind": strings(["file", "lock"]),
            "name": strings(["/data/wal.log", HOSTILE]),
        },
        "scope_nodes": {
            "node": np.array([1]),
            "proc_id": np.array([1]),
            "parent": np.array([0]),
            "name": strings(["put"]),
            "flags": np.array([2]),
        },
        "scope_slices": {
            "proc_id": np.ones(SECONDS, dtype=np.int64),
            "node": np.ones(SECONDS, dtype=np.int64),
            "t0_ns": slices,
            "t1_ns": slices + 1000 * MS,
            "count": np.full(SECONDS, 500),
            "total_ns": np.full(SECONDS, 900 * MS),
            "max_ns": np.full(SECONDS, 3 * MS),
        },
        "scope_histograms": {
            "node": np.ones(2 * SECONDS, dtype=np.int64),
            "t1_ns": np.repeat(slices + 1000 * MS, 2),
            "low_ns": np.tile([1000.0, 2_000_000.0], SECONDS),
            "high_ns": np.tile([1100.0, 2_100_000.0], SECONDS),
            "count": np.tile([470, 30], SECONDS),
        },
        "memory": {
            "t_ns": slices + 500 * MS,
            "proc_id": np.ones(SECONDS, dtype=np.int64),
            "kind": strings(["rss"] * SECONDS),
            "bytes": np.arange(SECONDS) * 1_000_000 + 5_000_000,
        },
        "memory_tags": {
            "t_ns": slices + 500 * MS,
            "proc_id": np.ones(SECONDS, dtype=np.int64),
            "tag": strings(["Block"] * SECONDS),
            "live_bytes": np.arange(SECONDS) * 1000,
        },
        "allocations": {
            "t_ns": np.array([START + 100 * MS, START + 1100 * MS, START + 2100 * MS]),
            "proc_id": np.ones(3, dtype=np.int64),
            "thread_id": np.array([2, 2, 1]),
            "bytes": np.full(3, 1024),
            "weight_bytes": np.array([1 << 20, 2 << 20, 4 << 20]),
            "stack_id": np.array([4, 4, 2]),
            "freed_ns": integers([START + 300 * MS, None, None]),
        },
    }
