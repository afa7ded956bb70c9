"""Numbers of several samplers made unique: each sampler of a journal counts from its own first number.

Every kind of number (process, thread, …) is defined by one table. A sampler's numbers are shifted by how many the
samplers before it have defined; what a number means does not change, and NONE and "no node" stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from storeprof.recording.schema import NONE, JournalTable

Array = np.ndarray[Any, Any]
Lines = list[dict[str, Any]]

# Columns that hold a number -> what kind of number, by table.
PACKED_NUMBERS: Mapping[JournalTable, Mapping[str, str]] = {
    JournalTable.LOOKS: {
        "thread": "thread", "holder": "thread", "resource": "resource", "py_stack": "stack",
    },
    JournalTable.THREAD_TIME: {"thread": "thread"},
    JournalTable.STACKS: {"stack": "stack", "parent": "stack", "frame": "frame"},
    JournalTable.SCOPE_COUNTS: {"process": "process", "node": "node"},
    JournalTable.SCOPE_HISTOGRAMS: {"node": "node"},
    JournalTable.OPERATIONS: {"thread": "thread"},
    JournalTable.MEMORY_TAGS: {"process": "process"},
    JournalTable.MEMORY: {"process": "process"},
    JournalTable.PROBE_SLICES: {"process": "process"},
}  # fmt: skip
LINE_NUMBERS: Mapping[JournalTable, Mapping[str, str]] = {
    JournalTable.PROCESSES: {"process": "process"},
    JournalTable.THREADS: {"thread": "thread", "process": "process"},
    JournalTable.FRAMES: {"frame": "frame", "code": "code"},
    JournalTable.RESOURCES: {"resource": "resource"},
    JournalTable.SCOPE_NODES: {"node": "node", "stay": "node", "at": "node", "parent": "node", "process": "process"},
}
KINDS = ("process", "thread", "code", "frame", "stack", "resource", "node")
NO_NODE = 0


def sizes(packed: Mapping[JournalTable, Array], lines: Mapping[JournalTable, Lines]) -> dict[str, int]:
    """How far each kind of number goes in one sampler's rows: its highest number, plus one."""
    highest = dict.fromkeys(KINDS, -1)
    for table, columns in PACKED_NUMBERS.items():
        for column, kind in columns.items():
            values = packed[table][column]
            values = values[values != NONE]
            highest[kind] = max(highest[kind], int(values.max()) if len(values) else -1)
    for table, columns in LINE_NUMBERS.items():
        for column, kind in columns.items():
            found = (int(line[column]) for line in lines[table] if column in line)
            highest[kind] = max(highest[kind], max(found, default=-1))
    return {kind: value + 1 for kind, value in highest.items()}


def shifted_rows(table: JournalTable, rows: Array, offsets: Mapping[str, int]) -> Array:
    """Packed rows with a sampler's numbers shifted; the same rows when there is nothing to shift."""
    columns = {column: offsets[kind] for column, kind in PACKED_NUMBERS.get(table, {}).items() if offsets[kind]}
    if not columns:
        return rows
    result = rows.copy()
    for column, offset in columns.items():
        values = rows[column]
        keep = values == NONE
        if PACKED_NUMBERS[table][column] == "node":
            keep |= values == NO_NODE
        result[column] = np.where(keep, values, values + np.uint32(offset))
    return result


def shift_lines(table: JournalTable, lines: Lines, offsets: Mapping[str, int]) -> None:
    """Shift a sampler's numbers in JSON lines, in place."""
    for column, kind in LINE_NUMBERS.get(table, {}).items():
        for line in lines if offsets[kind] else ():
            if column in line and not (kind == "node" and line[column] == NO_NODE):
                line[column] += offsets[kind]


def offsets_of(counted: Iterable[Mapping[str, int]]) -> list[dict[str, int]]:
    """What to add to the numbers of each sampler, in order, given how far those of each go."""
    result = []
    total = dict.fromkeys(KINDS, 0)
    for one in counted:
        result.append(dict(total))
        total = {kind: total[kind] + one[kind] for kind in KINDS}
    return result
