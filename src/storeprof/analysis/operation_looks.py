"""Looks joined with the operations they fell into: how long the operation took in which a moment was spent.

A look falls into an operation in proportion to its length, so the looks of a band of lengths divide the time of that
band without bias, however rarely a single short operation is hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.charges import Charges
from storeprof.analysis.looks import index_of
from storeprof.analysis.operations import OperationTree
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OperationLooks:
    """Rows of busy wall inside operations.

    Arrays as long as `rows`: `name` is an index into `names` (-1 where the scope is in no operation), `duration_s` the
    length of the operation (NaN where it did not finish or was not kept), `number` tells operations apart.
    """

    names: tuple[str, ...]
    rows: Charges
    name: Array
    duration_s: Array
    number: Array

    def of(self, name: str) -> OperationLooks:
        """Those of one operation."""
        mask = self.name == self.names.index(name)
        return OperationLooks(
            self.names, self.rows.where(mask), self.name[mask], self.duration_s[mask], self.number[mask]
        )


def load_operation_looks(
    recording: Recording, thread_ids: Array, rows: Charges, operations: OperationTree
) -> OperationLooks:
    """Join rows that carry an operation's number with the lengths of operations in the recording."""
    inside = rows.where(rows.op_seq != 0)
    names = tuple(operation.name for operation in operations.operations)
    index = {name: position for position, name in enumerate(names)}
    name_of_node = {node: index[name] for node, name in operations.operation_of_node.items() if name in index}
    node, back = np.unique(inside.node, return_inverse=True)
    name = np.array([name_of_node.get(one, -1) for one in node.tolist()], dtype=np.int64)[back]
    known = recording.sql(
        "SELECT thread_id, op_seq, max(duration_ns) AS duration_ns FROM operations GROUP BY thread_id, op_seq"
    )
    key = _key(index_of(thread_ids, known["thread_id"]), known["op_seq"])
    order = np.argsort(key)
    number = _key(inside.thread, inside.op_seq)
    duration = _looked_up(key[order], known["duration_ns"][order] / 1e9, number)
    return OperationLooks(names, inside, name, duration, number)


def _key(thread: Array, op_seq: Array) -> Array:
    return (thread.astype(np.int64) << 32) | op_seq.astype(np.int64)


def _looked_up(keys: Array, values: Array, wanted: Array) -> Array:
    if len(keys) == 0:
        return np.full(len(wanted), np.nan)
    at = np.clip(np.searchsorted(keys, wanted), 0, len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], np.nan)
