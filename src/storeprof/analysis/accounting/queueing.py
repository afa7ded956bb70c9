"""Which operations waited for a CPU: those that took long.

The kernel's totals say how long a thread queued in some 250 ms, no single look does; the accounting divides it among
all looks at the thread running. That is right for the run and wrong for its tail: an operation that was pushed aside
for milliseconds is a long one by that. So what the operations of one name queued is charged to the long ones among
them first, as far as they are longer than usual.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import ON_CPU, RUN_QUEUE
from storeprof.analysis.accounting.grouping import distinct
from storeprof.analysis.intervals import BLOCK_NS
from storeprof.analysis.operations import OperationTree
from storeprof.analysis.tail.operation_looks import OperationLooks

Array = np.ndarray[Any, Any]
LONG = 0.95


def queueing_in_long(looks: OperationLooks, operations: OperationTree) -> OperationLooks:
    """The same looks, with waits for a CPU moved from ordinary operations to long ones of the same name.

    Per name, thread and block of time the sums of both categories stay what they are.
    """
    rows = looks.rows
    usual, long = _usual_and_long(looks, operations)
    with np.errstate(invalid="ignore"):
        is_long = looks.duration_s > long
        excess = np.where(is_long, 1.0 - usual / looks.duration_s, 0.0)
    cell, cells = _cells(looks)
    on_cpu, queued = np.isin(rows.category, ON_CPU), rows.category == RUN_QUEUE

    def sums(weights: Array) -> Array:
        return np.bincount(cell, weights=weights, minlength=cells)

    room, movable = rows.weight_ns * excess * on_cpu, rows.weight_ns * (queued & ~is_long)
    ordinary = rows.weight_ns * (on_cpu & ~is_long)
    moved = np.minimum(np.minimum(sums(room), sums(movable)), np.where(sums(ordinary) > 0, np.inf, 0.0))
    to_queue = room * _ratio(moved, sums(room))[cell]
    freed = movable * _ratio(moved, sums(movable))[cell]
    back = ordinary * _ratio(moved, sums(ordinary))[cell]
    left = replace(looks, rows=replace(rows, weight_ns=rows.weight_ns - to_queue - freed + back))
    waits = replace(rows, weight_ns=to_queue, category=np.full_like(rows.category, RUN_QUEUE))
    return left.joined(replace(looks, rows=waits).where(to_queue > 0))


def _usual_and_long(looks: OperationLooks, operations: OperationTree) -> tuple[Array, Array]:
    """P50 and P95 of each row's operation in seconds; no operation is long where they are unknown."""
    latency = {operation.name: operation.latency for operation in operations.operations}
    known = [latency.get(name) for name in looks.names]
    usual = [one.quantile(0.5) or 0.0 if one else 0.0 for one in known]
    long = [one.quantile(LONG) or np.inf if one else np.inf for one in known]
    return np.array([*usual, 0.0])[looks.name], np.array([*long, np.inf])[looks.name]  # -1: in no operation


def _cells(looks: OperationLooks) -> tuple[Array, int]:
    """Number of the name, thread and block of time that each row lies in, and how many there are."""
    rows = looks.rows
    width, names = int(rows.thread.max(initial=0)) + 1, len(looks.names) + 1
    number = (rows.t_ns // BLOCK_NS * width + rows.thread) * names + looks.name + 1
    keys, cell = distinct(number)
    return cell, len(keys)


def _ratio(part: Array, whole: Array) -> Array:
    ratio: Array = np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
    return ratio
