"""The probes' ticks as nanoseconds: by the anchors that were taken each second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.recording.journal import Journal
from storeprof.recording.schema import JournalTable

Array = np.ndarray[Any, Any]
TIME_STAMP_COUNTER = 1  # `clock` of the shared memory's header; 2 counts ns


@dataclass(frozen=True)
class ProbeTicks:
    """The line through the first and last anchor, and what the anchors between say it is off by.

    `counts_ns` are the process numbers whose probes count nanoseconds anyway.
    """

    ticks: Array
    monotonic_ns: Array
    counts_ns: Array

    @classmethod
    def of(cls, journal: Journal, processes: dict[int, dict[str, Any]]) -> ProbeTicks:
        """From the anchors of the sampler and of the probes' headers."""
        rows = journal.packed[JournalTable.ANCHORS]
        headers = [row for row in processes.values() if row.get("clock") == TIME_STAMP_COUNTER]
        ticks = np.concatenate([rows["ticks"].astype(np.int64), [int(row["anchor_ticks"]) for row in headers]])
        at_ns = np.concatenate([rows["monotonic_ns"].astype(np.int64), [int(row["anchor_ns"]) for row in headers]])
        order = np.unique(ticks.astype(np.int64), return_index=True)[1]
        other = [number for number, row in processes.items() if row.get("clock") not in (None, TIME_STAMP_COUNTER)]
        return cls(ticks[order].astype(np.int64), at_ns[order].astype(np.int64), np.array(other, dtype=np.int64))

    @property
    def ns_per_tick(self) -> float:
        """Of the time-stamp counter; 1 where it is not known."""
        if len(self.ticks) < 2:
            return 1.0
        return float(self.monotonic_ns[-1] - self.monotonic_ns[0]) / float(self.ticks[-1] - self.ticks[0])

    def factors(self, processes: Array) -> Array:
        """Nanoseconds of one tick in each of these processes."""
        return np.where(np.isin(processes, self.counts_ns), 1.0, self.ns_per_tick)

    def moments(self, ticks: Array, processes: Array) -> Array:
        """CLOCK_MONOTONIC in ns of these moments of these processes' probes."""
        counted = ticks.astype(np.int64)
        if not len(self.ticks):
            return counted
        since = self.ticks - self.ticks[0]
        off = self.monotonic_ns - self.monotonic_ns[0] - since * self.ns_per_tick
        passed = (counted - self.ticks[0]).astype(np.float64)
        passed_ns = passed * self.ns_per_tick + np.interp(passed, since, off)
        moments = self.monotonic_ns[0] + np.round(passed_ns).astype(np.int64)
        return np.where(np.isin(processes, self.counts_ns), counted, moments)
