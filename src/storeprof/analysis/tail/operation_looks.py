"""Looks joined with the operations they fell into: how long the operation took in which a moment was spent.

A look falls into an operation in proportion to its length, so the looks of a band of lengths divide the time of that
band without bias, however rarely a single short operation is hit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import ON_CPU, RUN_QUEUE, Charges, concatenate, positions
from storeprof.analysis.accounting.look_cost import LookCost, look_cost
from storeprof.analysis.accounting.looks import index_of
from storeprof.analysis.accounting.native_places import NativeDetail, nearest_of
from storeprof.analysis.operations import OperationTree
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OperationLooks:
    """Rows of busy wall inside operations.

    Arrays as long as `rows`: `name` is an index into `names` (-1 where the scope is in no operation), `duration_s` the
    length of the operation (NaN where it did not finish or was not kept) and `start_ns` its start, `number` tells
    operations apart. `look_costs`: per name, what a look added to an operation; it is taken off `duration_s`.
    """

    names: tuple[str, ...]
    rows: Charges
    name: Array
    duration_s: Array
    start_ns: Array
    number: Array
    look_costs: tuple[LookCost, ...] = ()

    def where(self, mask: Array) -> OperationLooks:
        """The rows that a mask, or an array of positions, picks."""
        picked = positions(mask)
        name, duration_s, start_ns, number = (values.take(picked) for values in self._columns)
        return OperationLooks(self.names, self.rows.where(picked), name, duration_s, start_ns, number, self.look_costs)

    def of(self, name: str) -> OperationLooks:
        """Those of one operation."""
        return self.where(self.name == self.names.index(name))

    def joined(self, other: OperationLooks) -> OperationLooks:
        """Both sets of rows."""
        columns = zip(self._columns, other._columns, strict=True)
        name, duration_s, start_ns, number = map(np.concatenate, columns)
        rows = concatenate([self.rows, other.rows])
        return OperationLooks(self.names, rows, name, duration_s, start_ns, number, self.look_costs)

    @property
    def _columns(self) -> tuple[Array, Array, Array, Array]:
        return self.name, self.duration_s, self.start_ns, self.number


def load_operation_looks(recording: Recording, rows: Charges, operations: OperationTree) -> OperationLooks:
    """Join rows that carry an operation's number with the lengths of operations in the recording.

    Lengths are without what the look added.
    """
    known = recording.sql(
        "SELECT thread_id, op_seq, max(duration_ns) AS duration_ns, max(start_ns) AS start_ns, "
        "bool_or(hit) AS hit, any_value(node) AS node, max(weight) AS weight FROM operations "
        "GROUP BY thread_id, op_seq"
    )
    key = _key(index_of(rows.seen.looks.thread_ids, known["thread_id"]), known["op_seq"])
    order = np.argsort(key)
    number = _key(rows.thread, rows.op_seq)
    at = _position(key[order], number)
    duration, start = (
        np.append(values[order], np.nan).take(at) for values in (known["duration_ns"] / 1e9, known["start_ns"])
    )
    name = operations.operation_of(rows.node)
    unseen = ~known["hit"].astype(bool)
    others = {key: known[key][unseen] for key in ("node", "duration_ns", "weight")}
    looks = OperationLooks(operations.names, rows, name, duration, start, number, (LookCost(),) * len(operations.names))
    return _without_look_cost(looks, operations.operation_of(others["node"]), others)


def _without_look_cost(looks: OperationLooks, name_of_other: Array, others: dict[str, Array]) -> OperationLooks:
    """Lengths without what a look adds while it has the program's CPU; `others` are operations without a look."""
    ran = np.isin(looks.rows.category, (*ON_CPU, RUN_QUEUE)) & ~np.isnan(looks.duration_s)
    shorter, costs = looks.duration_s.copy(), []
    for one in range(len(looks.names)):
        mine, same = np.flatnonzero(ran & (looks.name == one)), name_of_other == one
        long = looks.duration_s[mine]
        costs.append(
            look_cost(long, looks.rows.weight_ns[mine], others["duration_ns"][same] / 1e9, others["weight"][same])
        )
        shorter[mine] = np.maximum(long - costs[-1].usual_s, long / 10)
    return replace(looks, duration_s=shorter, look_costs=tuple(costs))


def with_native_stacks(looks: OperationLooks, native: NativeDetail) -> OperationLooks:
    """The same looks, those on the CPU without a stack given the one of perf's nearest sample in the same operation.

    The operation is known to the nanosecond, so what is inside it belongs to it; without a sample there is no stack.
    """
    rows = looks.rows
    stack = rows.seen.stack.copy()
    wanted = (rows.stack < 0) & np.isin(rows.category, ON_CPU) & ~np.isnan(looks.duration_s)
    end_ns = looks.start_ns + looks.duration_s * 1e9
    for thread in sorted(native.native_threads):
        mine = np.flatnonzero(wanted & (rows.thread == thread))
        samples = slice(*np.searchsorted(native.cpu_thread, [thread, thread + 1]))
        if len(mine) == 0:
            continue
        t_ns = native.cpu_t[samples]
        at = nearest_of(t_ns, rows.t_ns[mine])
        inside = (t_ns[at] >= looks.start_ns[mine]) & (t_ns[at] <= end_ns[mine])
        stack[rows.row[mine[inside]]] = native.cpu_stack[samples][at[inside]]
    return replace(looks, rows=rows.with_stacks(stack))


def _key(thread: Array, op_seq: Array) -> Array:
    return (thread.astype(np.int64) << 32) | op_seq.astype(np.int64)


def _position(keys: Array, wanted: Array) -> Array:
    """Where each wanted key stands in `keys`, which are in order; -1 where it is not there."""
    if len(keys) == 0:
        return np.full(len(wanted), -1)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)
