"""Records of the allocation hook -> the table `allocations`, with their stacks beside those of looks and perf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from storeprof.collect.linux.native_addresses import resolve_stacks
from storeprof.observe.modules import is_library, module_name
from storeprof.recording.journal import Journal
from storeprof.recording.schema import JournalTable
from storeprof.recording.tables import Columns, integers, joined, null_where, strings
from storeprof.session.native_tables import frames_table, stacks_table, thread_at, thread_lives

Array = np.ndarray[Any, Any]
SAMPLE, FREED, STACK, TEXT = 1, 2, 3, 4
NEVER = np.iinfo(np.int64).max
PythonFrame = tuple[str, str, int, int]  # function, file, line, first line


def add_allocation_tables(journal: Journal, tables: dict[str, Columns]) -> dict[str, Columns]:
    """The tables with sampled allocations added, and with the frames and stacks they need."""
    units = journal.packed[JournalTable.ALLOCATIONS]
    rows = units[units["kind"] == SAMPLE]
    if not len(rows):
        return {**tables, "allocations": {}}
    texts = dict(_stack_texts(units[np.isin(units["kind"], (STACK, TEXT))]))
    tables, python_ids = _with_python_stacks(
        {key: text for key, text in texts.items() if not text.startswith("0x")}, tables
    )
    addresses = {key: [int(one, 16) for one in text.split()] for key, text in texts.items() if text.startswith("0x")}
    maps = [tuple(line["maps"]) for line in journal.lines[JournalTable.ALLOCATION_MAPS]]
    tables, native_ids = _with_native_stacks(addresses, maps, tables)
    stack = _renumbered(rows["stack"], {**python_ids, **native_ids})
    lives = thread_lives(tables["threads"])
    t_ns = rows["t_ns"].astype(np.int64)
    thread = np.array(
        [thread_at(lives, tid, t) for tid, t in zip(rows["tid"].tolist(), t_ns.tolist(), strict=True)], dtype=np.int64
    )
    freed = freed_at(rows, units[units["kind"] == FREED])
    processes = tables["processes"]
    proc_of_pid = dict(zip(processes["pid"].tolist(), processes["proc_id"].tolist(), strict=True))
    proc = np.array([proc_of_pid.get(pid, -1) for pid in rows["pid"].tolist()], dtype=np.int64)
    allocations: Columns = {
        "t_ns": t_ns,
        "proc_id": null_where(proc, proc < 0),
        "thread_id": null_where(thread, thread < 0),
        "bytes": rows["bytes"].astype(np.int64),
        "weight_bytes": rows["weight_bytes"].astype(np.int64),
        "stack_id": null_where(stack, stack < 0),
        "freed_ns": null_where(freed, freed == NEVER),
    }
    return {**tables, "allocations": allocations}


def freed_at(samples: Array, frees: Array) -> Array:
    """When each sampled pointer was freed (ns); NEVER for those still there at the end.

    A pointer sampled anew while it seems alive was freed in a way that no record was made of: by then at the latest.
    """
    pointer = np.concatenate([samples["pointer"], frees["pointer"]])
    t_ns = np.concatenate([samples["t_ns"], frees["t_ns"]]).astype(np.int64)
    order = np.lexsort((t_ns, pointer))
    following = np.full(len(pointer), NEVER)
    same = pointer[order[:-1]] == pointer[order[1:]]
    following[order[:-1][same]] = t_ns[order[1:][same]]
    return following[: len(samples)]


def _stack_texts(units: Array) -> Iterator[tuple[int, str]]:
    """(hash, text) of each stack; the units of one follow each other."""
    key, parts = 0, b""
    for unit in units:
        raw = unit.tobytes()
        if unit["kind"] == STACK:
            if parts:
                yield key, parts.rstrip(b"\0").decode("utf-8", "replace")
            key, parts = int.from_bytes(raw[8:16], "little"), raw[16:]
        else:
            parts += raw[8:]
    if parts:
        yield key, parts.rstrip(b"\0").decode("utf-8", "replace")


def _renumbered(hashes: Array, ids: dict[int, int]) -> Array:
    known, inverse = np.unique(hashes, return_inverse=True)
    return np.array([ids.get(one, -1) for one in known.tolist()], dtype=np.int64)[inverse]


class _Interned:
    """Stacks as (parent, frame) pairs, numbered from `first_stack` on; frames by the caller's own keys."""

    def __init__(self, first_stack: int) -> None:
        self.first = first_stack
        self.frames: dict[Any, int] = {}
        self.stacks: dict[tuple[int, int], int] = {}

    def add(self, leaf_first: list[Any]) -> int:
        """Number of a stack; -1 for an empty one."""
        parent = -1
        for key in reversed(leaf_first):
            frame = self.frames.setdefault(key, len(self.frames))
            parent = self.stacks.setdefault((parent, frame), self.first + len(self.stacks))
        return parent


def _next_number(column: Array) -> int:
    return int(column.max()) + 1 if len(column) else 0


def _with_python_stacks(texts: dict[int, str], tables: dict[str, Columns]) -> tuple[dict[str, Columns], dict[int, int]]:
    first_frame = _next_number(tables["frames"]["frame_id"])
    interned = _Interned(_next_number(tables["stacks"]["stack_id"]))
    ids = {key: interned.add(_python_frames(text)) for key, text in texts.items()}
    if not interned.stacks:
        return tables, ids
    frames: list[PythonFrame] = list(interned.frames)
    parents = np.array([parent for parent, _ in interned.stacks], dtype=np.int64)
    added_frames: Columns = {
        "frame_id": np.arange(len(frames)) + first_frame,
        "kind": strings(["python"] * len(frames)),
        "function": strings([frame[0] for frame in frames]),
        "module": strings([module_name(frame[1]) for frame in frames]),
        "file": strings([frame[1] for frame in frames]),
        "line": integers([frame[2] or None for frame in frames]),
        "first_line": integers([frame[3] or None for frame in frames]),
        "library": np.array([is_library(frame[1]) for frame in frames], dtype=bool),
    }
    added_stacks: Columns = {
        "stack_id": np.arange(len(parents)) + interned.first,
        "parent_id": null_where(parents, parents < 0),
        "frame_id": np.array([frame for _, frame in interned.stacks], dtype=np.int64) + first_frame,
    }
    return {
        **tables,
        "frames": joined(tables["frames"], added_frames),
        "stacks": joined(tables["stacks"], added_stacks),
    }, ids


def _python_frames(text: str) -> list[PythonFrame]:
    """Frames of one stack, leaf first; the last line can be cut short."""
    fields = [line.split("\t") for line in text.split("\n")]
    return [
        (one[0], one[1], int(one[2]), int(one[3])) for one in fields if len(one) == 4 and one[2].isdigit() and one[3]
    ]


def _with_native_stacks(
    addresses: dict[int, list[int]], maps: list[tuple[Any, ...]], tables: dict[str, Columns]
) -> tuple[dict[str, Columns], dict[int, int]]:
    native, leaves = resolve_stacks(list(addresses.values()), maps)
    if not len(native.stacks):
        return tables, {}
    first_frame = _next_number(tables["frames"]["frame_id"])
    first_stack = _next_number(tables["stacks"]["stack_id"])
    ids = {key: leaf + first_stack for key, leaf in zip(addresses, leaves, strict=True) if leaf >= 0}
    return {
        **tables,
        "frames": joined(tables["frames"], frames_table(native, first_frame)),
        "stacks": joined(tables["stacks"], stacks_table(native, first_frame, first_stack)),
    }, ids
