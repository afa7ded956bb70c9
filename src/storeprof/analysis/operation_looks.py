"""Looks joined with the operations they fell into: how long the operation took in which a moment was spent.

A look falls into an operation in proportion to its length, so the looks of a band of lengths divide the time of that
band without bias, however rarely a single short operation is hit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storeprof.analysis.charges import ON_CPU, Charges, concatenate
from storeprof.analysis.grouping import distinct
from storeprof.analysis.looks import index_of
from storeprof.analysis.native_places import NativeDetail
from storeprof.analysis.operations import OperationTree
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OperationLooks:
    """Rows of busy wall inside operations.

    Arrays as long as `rows`: `name` is an index into `names` (-1 where the scope is in no operation), `duration_s` the
    length of the operation (NaN where it did not finish or was not kept) and `start_ns` its start, `number` tells
    operations apart.
    """

    names: tuple[str, ...]
    rows: Charges
    name: Array
    duration_s: Array
    start_ns: Array
    number: Array

    def where(self, mask: Array) -> OperationLooks:
        """The rows a mask picks."""
        arrays = (self.name, self.duration_s, self.start_ns, self.number)
        return OperationLooks(self.names, self.rows.where(mask), *(values[mask] for values in arrays))

    def of(self, name: str) -> OperationLooks:
        """Those of one operation."""
        return self.where(self.name == self.names.index(name))

    def joined(self, other: OperationLooks) -> OperationLooks:
        """Both sets of rows."""
        fields = ("name", "duration_s", "start_ns", "number")
        arrays = (np.concatenate([getattr(self, field), getattr(other, field)]) for field in fields)
        return OperationLooks(self.names, concatenate([self.rows, other.rows]), *arrays)


def load_operation_looks(
    recording: Recording, thread_ids: Array, rows: Charges, operations: OperationTree
) -> OperationLooks:
    """Join rows that carry an operation's number with the lengths of operations in the recording."""
    inside = rows.where(rows.op_seq != 0)
    names = tuple(operation.name for operation in operations.operations)
    index = {name: position for position, name in enumerate(names)}
    name_of_node = {node: index[name] for node, name in operations.operation_of_node.items() if name in index}
    node, back = distinct(inside.node)
    name = np.array([name_of_node.get(one, -1) for one in node.tolist()], dtype=np.int64)[back]
    known = recording.sql(
        "SELECT thread_id, op_seq, max(duration_ns) AS duration_ns, max(start_ns) AS start_ns FROM operations "
        "GROUP BY thread_id, op_seq"
    )
    key = _key(index_of(thread_ids, known["thread_id"]), known["op_seq"])
    order = np.argsort(key)
    number = _key(inside.thread, inside.op_seq)
    duration, start = (
        _looked_up(key[order], values[order], number) for values in (known["duration_ns"] / 1e9, known["start_ns"])
    )
    return OperationLooks(names, inside, name, duration, start, number)


def with_native_stacks(looks: OperationLooks, native: NativeDetail) -> OperationLooks:
    """The same looks, those on the CPU without a stack given the one of perf's nearest sample in the same operation.

    The operation is known to the nanosecond, so what is inside it belongs to it; without a sample there is no stack.
    """
    rows, stack = looks.rows, looks.rows.stack.copy()
    wanted = (stack < 0) & np.isin(rows.category, ON_CPU) & ~np.isnan(looks.duration_s)
    end_ns = looks.start_ns + looks.duration_s * 1e9
    for thread in sorted(native.native_threads):
        mine = np.flatnonzero(wanted & (rows.thread == thread))
        samples = np.flatnonzero(native.cpu_thread == thread)
        if len(mine) == 0 or len(samples) == 0:
            continue
        at = samples[nearest(native.cpu_t[samples], rows.t_ns[mine])]
        inside = (native.cpu_t[at] >= looks.start_ns[mine]) & (native.cpu_t[at] <= end_ns[mine])
        stack[mine[inside]] = native.cpu_stack[at[inside]]
    return replace(looks, rows=replace(rows, stack=stack))


def nearest(times: Array, wanted: Array) -> Array:
    """For each wanted time the position of the nearest one in `times`, which are sorted and not empty."""
    after = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    before = np.clip(after - 1, 0, len(times) - 1)
    return np.where(np.abs(times[before] - wanted) <= np.abs(times[after] - wanted), before, after)


def _key(thread: Array, op_seq: Array) -> Array:
    return (thread.astype(np.int64) << 32) | op_seq.astype(np.int64)


def _looked_up(keys: Array, values: Array, wanted: Array) -> Array:
    if len(keys) == 0:
        return np.full(len(wanted), np.nan)
    at = np.clip(np.searchsorted(keys, wanted), 0, len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], np.nan)
