"""Sampled allocations by when they were made and freed, and by calling context, thread and operation."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.accounting.looks import index_of
from storeprof.analysis.context import Context
from storeprof.views.bins import Bins
from storeprof.views.calls import Folded
from storeprof.views.wall import summed

Array = np.ndarray[Any, Any]

UNIT_BYTES = 256
UNKNOWN = 0
FEWEST_LOOKS = 20  # at a calling context, before it says which operation it belongs to
ALWAYS = 0.95  # of its time


def allocated(context: Context, bins: Bins, node: Array, operation: Array) -> dict[str, Array]:
    """Table `allocations`: bytes (in units of 256) by `node`, `born`, `died`, `thread` and `operation`.

    `born`: 1 + bin, 0 for what was there before the window; `died`: 1 + bin, 0 for what stayed, or was freed only
    when the program took itself down. `thread`: 1 + its number, `operation` (given by node): 1 + its number, where 0 is
    not known.
    """
    rows = context.allocations
    teardown = rows.teardown(context.recording.duration_s) if len(rows) else 0.0
    born = np.where(rows.born < 0, 0, 1 + bins.of(bins.start_ns + (rows.born * 1e9).astype(np.int64)))
    gone = np.isfinite(rows.died) & ((rows.died < teardown) | (rows.born >= teardown))
    died_ns = bins.start_ns + (np.where(gone, rows.died, 0.0) * 1e9).astype(np.int64)
    inside = gone & (died_ns < bins.end_ns)
    columns = {
        "node": node,
        "born": born,
        "died": np.where(inside, 1 + bins.of(died_ns), 0),
        "thread": 1 + index_of(context.looks.thread_ids, rows.thread_id).astype(np.int64),
        "operation": operation[node],
    }
    seen = ~(inside & (died_ns < bins.start_ns))
    found = summed({name: values[seen] for name, values in columns.items()}, rows.weight_bytes[seen] / UNIT_BYTES)
    found["weight"] = np.rint(found["weight"])
    return found


def operation_of_nodes(tree: Folded, busy_node: Array, operation: Array, weight_ns: Array) -> Array:
    """The operation that each calling context belongs to, as 1 + its number in `wall`; 0 where it can't be told.

    An allocation does not know its operation, but its calling context mostly does: where almost all busy time below a
    context lies in one operation, what is allocated there was allocated by it. A context with few looks (`busy_node`
    and `operation` of each) takes after its caller; one that several operations share stays unknown.
    """
    nodes, kinds = len(tree.parent), int(operation.max(initial=0)) + 1
    time, looks = np.zeros((nodes, kinds), dtype=np.float32), np.bincount(busy_node, minlength=nodes)
    np.add.at(time, (busy_node, operation), weight_ns / 1e9)
    for node in range(nodes - 1, 0, -1):
        time[tree.parent[node]] += time[node]
        looks[tree.parent[node]] += looks[node]
    most = time.argmax(axis=1)
    clear = time.max(axis=1) >= ALWAYS * time.sum(axis=1)
    found = np.where(clear, 1 + most, UNKNOWN)
    found[0] = UNKNOWN  # no stack, or all of the program
    for node in range(1, nodes):
        if looks[node] < FEWEST_LOOKS:
            found[node] = found[tree.parent[node]]
    return found
