"""Busy wall time by bin, thread, operation, category, what was waited for, and calling context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CPU, GC, RUN_QUEUE, Charges
from storeprof.analysis.context import Context
from storeprof.analysis.operations import OperationTree
from storeprof.recording.system_calls import call_name
from storeprof.views.bins import Bins

Array = np.ndarray[Any, Any]

NO_CALL = (CPU, GC, RUN_QUEUE)
FINEST_UNIT_NS, OF_A_ROW = 1_000, 200


@dataclass(frozen=True)
class Awaited:
    """What rows wait for: `of_row` is an index into `listed`, whose first entry stands for nothing."""

    listed: list[dict[str, Any]]
    of_row: Array


def awaited(context: Context, rows: Charges) -> Awaited:
    """Resource and system call of each waiting row."""
    names = context.recording.sql("SELECT resource_id, kind, name FROM resources")
    kind = dict(zip(names["resource_id"].tolist(), names["kind"].tolist(), strict=True))
    name = dict(zip(names["resource_id"].tolist(), names["name"].tolist(), strict=True))
    waits = ~np.isin(rows.category, NO_CALL)
    key = np.where(waits, (rows.resource.astype(np.int64) + 1) * 4096 + np.clip(rows.syscall + 2, 0, 4095), -1)
    distinct, which = np.unique(key, return_inverse=True)
    listed: list[dict[str, Any]] = [{"kind": None, "name": None, "call": None}]
    position = []
    for one in distinct.tolist():
        resource, call = one // 4096 - 1, one % 4096 - 2
        if one < 0 or (resource < 0 and call < -1):
            position.append(0)
            continue
        position.append(len(listed))
        listed.append(
            {"kind": kind.get(resource), "name": name.get(resource), "call": None if call < -1 else call_name(call)}
        )
    return Awaited(listed, np.array(position, dtype=np.int64)[which])


def operation_numbers(tree: OperationTree, rows: Charges) -> Array:
    """1 + position in `tree.names` of the operation each row lies in; 0 outside operations."""
    number = {name: at + 1 for at, name in enumerate(tree.names)}
    table = np.zeros(max(tree.operation_of_node, default=0) + 1, dtype=np.int64)
    for node, name in tree.operation_of_node.items():
        table[node] = number[name]
    inside = (rows.op_seq != 0) & (rows.node < len(table))
    return np.where(inside, table.take(rows.node, mode="clip"), 0)


def summed(columns: dict[str, Array], weight: Array) -> dict[str, Array]:
    """Rows with equal values in all columns added up, in the order of the columns; `weight` becomes a column."""
    key = np.zeros(len(weight), dtype=np.int64)
    sizes = [int(values.max(initial=0)) + 1 for values in columns.values()]
    for values, size in zip(columns.values(), sizes, strict=True):
        key = key * size + values
    distinct, which = np.unique(key, return_inverse=True)
    result = {"weight": np.bincount(which, weights=weight, minlength=len(distinct))}
    for name, size in reversed(list(zip(columns, sizes, strict=True))):
        result[name], distinct = distinct % size, distinct // size
    return result


def wall_rows(context: Context, bins: Bins, operation: Array, node: Array, waits: Awaited) -> dict[str, Array]:
    """Table `wall`: one row per combination that occurs, its `weight` in ns."""
    rows = context.busy
    return summed(
        {
            "thread": rows.thread.astype(np.int64),
            "operation": operation,
            "category": rows.category.astype(np.int64),
            "wait": waits.of_row,
            "node": node,
            "bin": bins.of(rows.t_ns),
        },
        rows.weight_ns.astype(np.float64),
    )


def unit_of(weight: Array) -> int:
    """A unit of time (ns) in which a row has some hundred on average: what is finer would only be noise to store."""
    mean = float(weight.sum()) / max(len(weight), 1)
    return max(FINEST_UNIT_NS, int(mean / OF_A_ROW))


def in_units(table: dict[str, Array], unit_ns: int) -> dict[str, Array]:
    """The table with `weight` in whole units; rows that round to none are left out."""
    weight = np.rint(table["weight"] / unit_ns)
    kept = weight > 0
    return {name: values[kept] for name, values in (table | {"weight": weight}).items()}


def presence(context: Context, bins: Bins) -> Array:
    """Share of each bin that each thread was there for: shape (threads, bins)."""
    totals, threads = context.totals, len(context.looks.thread_ids)
    edges = bins.start_ns + bins.length_ns * np.arange(bins.count + 1)
    there = np.zeros((threads, bins.count))
    for thread in np.unique(totals.thread[totals.thread >= 0]).tolist():
        mine = totals.thread == thread
        lengths = (totals.t1_ns[mine] - totals.t0_ns[mine]).astype(np.float64)
        reached = np.concatenate([[0.0], np.cumsum(lengths)])
        corners = np.concatenate([totals.t0_ns[mine][:1], totals.t1_ns[mine]])
        there[thread] = np.diff(np.interp(edges, corners, reached))
    return np.clip(there / bins.length_ns, 0.0, 1.0)
