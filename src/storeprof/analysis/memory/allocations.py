"""The sampled allocations of a recording, by the place that made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.memory.growth import Lifetimes
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]

GRID = 60
LATE = 0.2


@dataclass(frozen=True)
class Allocations:
    """One row a sample; times in seconds since the window's start, `died` infinite for what stayed.

    `weight_bytes` is what a sample stands for, `place` the index of the function charged (-1: no stack); `thread_id` is
    0 for a thread that no look fell on.
    """

    born: Array
    died: Array
    weight_bytes: Array
    bytes: Array
    stack: Array
    place: Array
    thread_id: Array

    def __len__(self) -> int:
        return len(self.born)

    def where(self, mask: Array) -> Allocations:
        """The rows a mask picks."""
        return Allocations(
            self.born[mask], self.died[mask], self.weight_bytes[mask], self.bytes[mask], self.stack[mask],
            self.place[mask], self.thread_id[mask],
        )  # fmt: skip

    def lifetimes(self, place: int) -> Lifetimes:
        """Lifetimes of what one function allocated."""
        mine = self.place == place
        return Lifetimes(self.born[mine], self.died[mine], self.weight_bytes[mine])

    @property
    def weight_ns(self) -> Array:
        """Weights under the name that lines and call paths are made from."""
        return self.weight_bytes

    def live_bytes(self, t_s: Array) -> Array:
        """Bytes alive at given times."""
        order = np.argsort(self.died)
        made = np.concatenate([[0.0], np.cumsum(self.weight_bytes[np.argsort(self.born)])])
        gone = np.concatenate([[0.0], np.cumsum(self.weight_bytes[order])])
        ever: Array = made[np.searchsorted(np.sort(self.born), t_s, side="right")]
        freed: Array = gone[np.searchsorted(self.died[order], t_s, side="right")]
        return np.subtract(ever, freed)

    def teardown(self, end_s: float) -> float:
        """When the program began to take itself down: from then on most of what lives is freed for good."""
        grid = np.linspace(0.0, end_s - max(0.25, 0.02 * end_s), GRID)
        live = self.live_bytes(grid)
        late = grid >= (1 - LATE) * end_s
        kept = np.flatnonzero(live >= 0.7 * live[late].max(initial=0.0))
        return float(grid[kept[-1]]) if len(kept) else end_s


def load_allocations(recording: Recording, stacks: Stacks) -> Allocations:
    """Read the sampled allocations up to the window's end; what was made before its start has a negative time."""
    start, end = recording.window
    rows = recording.sql(
        "SELECT t_ns, coalesce(freed_ns, -1) AS freed_ns, bytes, weight_bytes, coalesce(stack_id, -1) AS stack, "
        "coalesce(thread_id, 0) AS thread_id FROM allocations WHERE t_ns <= ? ORDER BY t_ns",
        [end],
    )
    stack = np.asarray(rows["stack"], dtype=np.int64)
    freed = np.asarray(rows["freed_ns"], dtype=np.int64)
    return Allocations(
        born=(np.asarray(rows["t_ns"], dtype=np.int64) - start) / 1e9,
        died=np.where(freed < 0, np.inf, (freed - start) / 1e9),
        weight_bytes=np.asarray(rows["weight_bytes"], dtype=np.float64),
        bytes=np.asarray(rows["bytes"], dtype=np.int64),
        stack=stack,
        place=stacks.place_functions(stack).astype(np.int64),
        thread_id=np.asarray(rows["thread_id"], dtype=np.int64),
    )
