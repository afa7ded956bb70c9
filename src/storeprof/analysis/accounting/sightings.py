"""What time can be charged to: looks, perf's samples of threads whose stacks looks can't read, and nothing at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.looks import Looks

Array = np.ndarray[Any, Any]

NOTHING = {"stack": -1, "resource": -1, "holder": -1, "node": 0, "op_seq": 0, "syscall": -2}


@dataclass(frozen=True)
class Sightings:
    """Columns of one length: first all looks, then samples, then one row per thread for time without a place.

    Columns mean what they mean in `Looks`. `looks` shares their memory: there may be millions.
    """

    looks: Looks
    samples: int
    t_ns: Array
    thread: Array
    stack: Array
    resource: Array
    holder: Array
    node: Array
    op_seq: Array
    syscall: Array

    def of_samples(self) -> Array:
        """Rows of the samples, in their order."""
        return np.arange(len(self.looks), len(self.looks) + self.samples, dtype=np.int32)

    def without_place(self, thread: Array) -> Array:
        """Rows that stand for a thread and no place."""
        return len(self.looks) + self.samples + thread


def sightings(looks: Looks, sample_t_ns: Array, sample_thread: Array, sample_stack: Array, start_ns: int) -> Sightings:
    """Put looks, samples and the rows without a place together; time without a place counts as of `start_ns`."""
    threads = np.arange(len(looks.thread_ids))
    added = {
        "t_ns": (sample_t_ns, np.full(len(threads), start_ns)),
        "thread": (sample_thread, threads),
        "stack": (sample_stack, np.full(len(threads), -1)),
    }
    count = len(sample_t_ns) + len(threads)
    columns: dict[str, Array] = {}
    for name in ("t_ns", "thread", *NOTHING):
        column = getattr(looks, name)
        more = np.concatenate(added[name]) if name in added else np.full(count, NOTHING[name])
        columns[name] = np.concatenate([column, more.astype(column.dtype)])
        shared: dict[str, Any] = {name: columns[name][: len(column)]}
        looks = replace(looks, **shared)
    return Sightings(looks=looks, samples=len(sample_t_ns), **columns)
