"""Synthetic operations with known causes, and the looks an observer would have had at them."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.intervals import Blocks
from storeprof.analysis.operations import Histogram
from storeprof.analysis.tail.budget import OperationTime
from storeprof.session.tabulate_scopes import bucket_edges

Array = np.ndarray[Any, Any]
COMPONENTS = ("cpu", "run_queue", "lock", "fsync", "read", "collection", "steady", "giants")
MS = 1e6
RUN_NS = 10_000 * MS


def operations(rng: np.random.Generator, count: int, cause: str) -> Array:
    """Exclusive time in ns per operation and component; 1.5 % of the operations stall for some 2.5 ms by `cause`."""

    def around(mean_us: float, spread: float) -> Array:
        return mean_us * 1000 * rng.lognormal(0, spread, count)

    spent = np.zeros((count, len(COMPONENTS)))
    for position, (mean, spread) in enumerate([(30, 0.2), (3, 0.8), (2, 0.5), (15, 0.3)]):
        spent[:, position] = around(mean, spread)
    spent[:, 4] = np.where(rng.random(count) < 0.1, around(40, 0.3), 0)
    spent[:, 6] = around(40, 0.05)  # dear in the mean, never in the tail
    spent[:, 7] = np.where(rng.random(count) < 5e-4, around(50_000, 0.1), 0)  # rules the variance, not P99
    stalled = rng.random(count) < 0.015
    halves = rng.random(count) < 0.65
    causes = {"fsync and lock": [("fsync", halves), ("lock", ~halves)]}.get(cause, [(cause, np.ones(count, bool))])
    for name, mine in causes:
        spent[:, COMPONENTS.index(name)] += np.where(stalled & mine, around(2500, 0.4), 0)
    return spent


def truth(cause: str) -> Array:
    """Shares of P99 - P50 by component, from so many operations that chance plays no part."""
    spent = operations(np.random.default_rng(99), 2_000_000, cause)
    order = np.argsort(spent.sum(axis=1))
    count = len(order)
    tail, middle = order[int(0.986 * count) : int(0.994 * count)], order[int(0.4 * count) : int(0.6 * count)]
    gap = spent[tail].mean(axis=0) - spent[middle].mean(axis=0)
    shares: Array = gap / gap.sum()
    return shares


def recorded(rng: np.random.Generator, cause: str) -> tuple[Histogram, OperationTime, Blocks]:
    """One recording of 10 s of operations one after the other: histogram, looks every 2.5 to 7.5 ms, blocks."""
    spent = operations(rng, 80_000, cause)
    ends = np.cumsum(spent.sum(axis=1))
    spent = spent[: np.searchsorted(ends, RUN_NS)]
    length = spent.sum(axis=1)
    interval = rng.uniform(2.5 * MS, 7.5 * MS, int(RUN_NS / (5 * MS)))
    at = np.cumsum(interval)
    at, interval = at[at < ends[len(spent) - 1]], interval[at < ends[len(spent) - 1]]
    number = np.searchsorted(ends, at)
    into = at - (ends[number] - length[number])
    component = (np.cumsum(spent[number], axis=1) < into[:, None]).sum(axis=1)
    low, high = bucket_edges(np.arange(720))
    bucket = np.clip(np.searchsorted(low, length, side="right") - 1, 0, 719)
    used, counts = np.unique(bucket, return_counts=True)
    histogram = Histogram(low[used] / 1e9, high[used] / 1e9, counts.astype(float), float(length.max()) / 1e9)
    time = OperationTime(
        at.astype(np.int64), interval, component, len(COMPONENTS), length[number] / 1e9, number.astype(np.int64)
    )
    return histogram, time, Blocks((0, int(RUN_NS)))
