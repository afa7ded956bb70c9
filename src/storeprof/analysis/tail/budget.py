"""The closed tail budget: what the operations around P99 spend more time on than those around P50.

Operations between P98.6 and P99.4 minus operations between P40 and P60, component by component on exclusive time. The
percentiles come from the exact histogram; looks divide the time of each band (a look falls into an operation in
proportion to its length, so the looks of a band are its time). What is left is a component like any other, so shares of
the gap add up to one. Of the rules tried on synthetic operations with known causes only this one named the cause each
time: variance decomposition follows a few giant outliers, "the slowest 1 %" mixes several causes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.intervals import LEVEL, Blocks, Estimate, binomial
from storeprof.analysis.operations import BEYOND, Histogram

Array = np.ndarray[Any, Any]

# The first band with enough operations is taken. Tails widen upwards first: longer operations mostly have the same
# cause and are looked at more often, shorter ones soon have none.
TAIL_BANDS = ((0.986, 0.994), (0.986, 0.998), (0.98, 0.9985), (0.97, 1.0))
MIDDLE_BANDS = ((0.4, 0.6), (0.3, 0.7), (0.2, 0.8), (0.1, 0.9))
WANTED = 30  # different operations looked at in a band
FEWEST = 15
NEAR = 0.25  # of the gap: what a look adds may widen the middle band by so much
CUT = 0.994  # operations over this percentile count as if they were as long


@dataclass(frozen=True)
class OperationTime:
    """Time inside the operations of one name, as looks saw it: arrays of one length.

    `component` counts from 0 to `components` - 1; `duration_s` is of the operation (NaN unknown), `number` names it.
    `spread_s`: how far a length may be off by what a look added to it.
    """

    t_ns: Array
    weight_ns: Array
    component: Array
    components: int
    duration_s: Array
    number: Array
    spread_s: float = 0.0


@dataclass(frozen=True)
class Band:
    """Operations between two percentiles: which rows are theirs and how many different ones were looked at.

    `weight_ns`: of all rows, with operations over the band's upper edge cut to it, so that a few giants in a band that
    had to be wide do not outvote the others.
    """

    low: float
    high: float
    rows: Array
    weight_ns: Array
    operations: int


@dataclass(frozen=True)
class TailBudget:
    """P99 - P50 of one operation, divided among components.

    `share`: of the gap, one estimate a component, adding up to one; `speedup`: P99 over P99 without the component;
    `in_middle`: share of a component in operations around P50 (NaN where too few of those were looked at).
    """

    p50_s: float
    p99_s: float
    share: tuple[Estimate, ...]
    speedup: tuple[Estimate, ...]
    in_middle: Array
    tail: Band
    middle: Band

    @property
    def gap_s(self) -> float:
        """P99 - P50 in seconds."""
        return self.p99_s - self.p50_s


@dataclass(frozen=True)
class TooThin:
    """Why the tail can't be taken apart, and what would be enough."""

    reason: str
    remedy: str


def tail_budget(latency: Histogram, time: OperationTime, blocks: Blocks) -> TailBudget | TooThin:
    """Take the gap between P99 and P50 apart; TooThin when there is too little data for it."""
    p50, p99 = latency.quantile(0.5), latency.quantile(0.99)
    if p50 is None or p99 is None:
        count, needed = int(latency.count.sum()), BEYOND * 100
        return TooThin(f"P99 needs {needed:,} operations, there were {count:,}", _longer(needed, count))
    if p99 <= p50:
        return TooThin("P99 is no longer than P50", "nothing: there is no tail")
    spread = min(time.spread_s, NEAR * (p99 - p50))
    tail, middle = _band(latency, time, TAIL_BANDS), _band(latency, time, MIDDLE_BANDS, spread)
    if tail.operations < FEWEST:
        return TooThin(
            f"{tail.operations} of the operations around P99 were looked at, {FEWEST} are needed",
            _longer(FEWEST, tail.operations),
        )
    in_tail, drawn_tail = _shares(time, tail, blocks)
    in_middle, drawn_middle = _shares(time, middle, blocks)
    if middle.operations < FEWEST:  # taken for spent as in the tail; how wrong that can be goes into the interval
        in_middle, drawn_middle = in_tail, drawn_tail
    gap = p99 - p50
    value = (p99 * in_tail - p50 * in_middle) / gap
    low, high = np.quantile((p99 * drawn_tail - p50 * drawn_middle) / gap, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    least, most = binomial(in_tail, tail.operations)
    doubt = p50 / gap if middle.operations < FEWEST else 0.0
    low = np.minimum(low, (p99 * least - p50 * in_middle) / gap) - doubt
    high = np.maximum(high, (p99 * most - p50 * in_middle) / gap) + doubt
    return TailBudget(
        p50,
        p99,
        _estimates(value, low, high),
        _estimates(*(_speedup(p50, p99, np.clip(one, 0, 1)) for one in (value, low, high))),
        in_middle if middle.operations >= FEWEST else np.full(time.components, np.nan),
        tail,
        middle,
    )


def mean_shares(time: OperationTime, blocks: Blocks) -> tuple[Estimate, ...]:
    """Shares of the time of all operations together, so of their mean, one estimate a component."""
    everything = Band(0.0, 1.0, np.ones(len(time.t_ns), dtype=bool), time.weight_ns, 0)
    value, drawn = _shares(time, everything, blocks)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return _estimates(value, low, high)


def _band(latency: Histogram, time: OperationTime, wider: Sequence[tuple[float, float]], spread_s: float = 0.0) -> Band:
    """The narrowest band with WANTED operations looked at, its edges blurred by so much; the widest when none has."""
    for low, high in wider:
        least, most = latency.edges(low)[0], latency.edges(high)[1] if high < 1.0 else np.inf
        rows = (time.duration_s >= least - spread_s) & (time.duration_s <= most + spread_s)
        operations = len(np.unique(time.number[rows]))
        if operations >= WANTED:
            break
    cut = np.minimum(1.0, latency.edges(CUT)[1] / np.where(rows, time.duration_s, np.inf))
    return Band(low, high, rows, time.weight_ns * np.where(rows, cut, 0.0), operations)


def _shares(time: OperationTime, band: Band, blocks: Blocks) -> tuple[Array, Array]:
    """Shares of a band's time by component: of all looks, and of each resample (shape (resamples, components))."""
    rows = band.rows
    sums = blocks.sums_by(time.t_ns[rows], band.weight_ns[rows], time.component[rows], time.components)
    total = sums.sum(axis=0).astype(np.float64)
    shares = total / total.sum() if total.sum() > 0 else total
    drawn = blocks.resampled(sums)
    whole = drawn.sum(axis=1, keepdims=True)
    return shares, np.divide(drawn, whole, out=np.tile(shares, (len(drawn), 1)), where=whole > 0)


def _speedup(p50: float, p99: float, share: Array) -> Array:
    """P99 over P99 without a share of the gap; P50 is left in any case, as ordinary operations are."""
    return p99 / np.maximum(p99 - share * (p99 - p50), p50)


def _estimates(value: Array, low: Array, high: Array) -> tuple[Estimate, ...]:
    return tuple(Estimate(*row) for row in np.column_stack([value, low, high]).tolist())


def _longer(needed: int, had: int) -> str:
    return f"record {needed / had:.1f} times as long" if had else "record ten times as long, or more operations"
