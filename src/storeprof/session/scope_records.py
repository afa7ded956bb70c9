"""Which node of a process-wide scope tree a record in a probe's memory belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.recording.journal import Journal
from storeprof.recording.schema import JournalTable

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ScopeRecords:
    """`keys` (sorted) are process number << 32 | record, `nodes` what each belongs to; `owner` is by node number."""

    keys: Array
    nodes: Array
    owner: Array

    @classmethod
    def of(cls, journal: Journal) -> ScopeRecords:
        """As table scope_nodes of a journal says it."""
        rows = [row for row in journal.lines[JournalTable.SCOPE_NODES] if "node" in row]
        keys = np.array([row["process"] << 32 | row["record"] for row in rows], dtype=np.int64)
        nodes = np.array([row["node"] for row in rows], dtype=np.int64)
        owner = np.full(int(nodes.max(initial=0)) + 1, -1, dtype=np.int64)
        owner[nodes] = [row["process"] for row in rows]
        order = np.argsort(keys)
        return cls(keys[order], nodes[order], owner)

    def of_records(self, processes: Array, records: Array) -> Array:
        """Node numbers of records in these processes' memory; 0 for those that are none."""
        if not len(self.keys):
            return np.zeros(len(records), dtype=np.int64)
        wanted = processes.astype(np.int64) << 32 | records.astype(np.int64)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[at] == wanted, self.nodes[at], 0)

    def processes_of(self, nodes: Array) -> Array:
        """Process numbers of nodes; -1 for unknown ones."""
        return self.owner[np.where(nodes < len(self.owner), nodes, 0)]
