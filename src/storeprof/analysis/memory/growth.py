"""Whether memory grows like a leak: the three-way rule (leak, no leak, more time) on a trace, and on sampled objects.

On a trace of bytes (RSS, a type's live bytes): the first third is dropped (start-up), minima of blocks longer than a
sawtooth's period take their place, the slope is Theil and Sen's with its interval (Sen, "Estimates of the regression
coefficient based on Kendall's tau", JASA 63, 1968), and it is a leak only when the growth goes on to the end. Tests for
a trend alone (Mann-Kendall) take every warm-up and every filling cache for a leak.

On sampled allocations of one place, what survives decides: of a leak, as much survives from the early part of the run
as from the late one, and nothing old dies at the end. A cache that levels off, a flushed table and a ring of the latest
objects each fail in one of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.intervals import Estimate

Array = np.ndarray[Any, Any]

LEAK = "leak"
NO_LEAK = "no leak"
MORE_TIME = "more time"
TOO_FEW = "too few samples"

START_UP = 1 / 3
FEWEST_BLOCKS = 6
FEWEST_SURVIVORS = 2
STEADY = 0.7  # the second half's growth over the first half's
STOPPED = 0.3
Z = 1.96


@dataclass(frozen=True, slots=True)
class Growth:
    """Verdict, rate (bytes per second) and how the second half's growth relates to the first's (1: steady)."""

    verdict: str
    rate: Estimate
    steadiness: float


NO_GROWTH = Growth(NO_LEAK, Estimate(0.0, 0.0, 0.0), 0.0)


def judge_trace(t_s: Array, bytes_: Array, floor: float) -> Growth:
    """Judge a trace: times in seconds, bytes at each; `floor` in bytes per second is what does not matter."""
    kept = t_s >= t_s[0] + (t_s[-1] - t_s[0]) * START_UP if len(t_s) else np.zeros(0, dtype=bool)
    t, y = t_s[kept], bytes_[kept].astype(np.float64)
    if len(t) < FEWEST_BLOCKS:
        return Growth(MORE_TIME, Estimate(0.0, 0.0, 0.0), 0.0)
    size = max(len(t) // 12, math.ceil(_sawtooth_period(y) * 1.05), 1)
    blocks = len(t) // size
    if blocks < FEWEST_BLOCKS:
        whole = theil_sen(t, y)
        return Growth(MORE_TIME if whole.low > floor else NO_LEAK, whole, 0.0)
    at, troughs = t[-blocks * size :].reshape(blocks, size).mean(1), y[-blocks * size :].reshape(blocks, size).min(1)
    rate = theil_sen(at, troughs)
    half = blocks // 2
    early, late = theil_sen(at[: half + 1], troughs[: half + 1]), theil_sen(at[half:], troughs[half:])
    steadiness = late.value / early.value if early.value > floor else (1.0 if late.value > floor else 0.0)
    if rate.low <= floor:
        return Growth(MORE_TIME if rate.low > 0 and rate.value > 3 * floor else NO_LEAK, rate, steadiness)
    if late.value < max(floor, STOPPED * rate.value):
        return Growth(NO_LEAK, rate, steadiness)
    steady = late.value >= STEADY * max(rate.value, early.value) and late.low > 0
    return Growth(LEAK if steady else MORE_TIME, rate, steadiness)


def _sawtooth_period(y: Array) -> float:
    """Period in samples of what rises and falls on top of the trend; 0 when no period matters."""
    x = np.arange(len(y))
    slope, level = np.polyfit(x, y, 1)
    rest = y - (slope * x + level)
    power = np.abs(np.fft.rfft(rest * np.hanning(len(y)))) ** 2
    power[:2] = 0
    top = int(power.argmax())
    around = float(power[max(1, top - 1) : top + 2].sum())
    small = float(np.ptp(rest)) < 0.25 * abs(slope) * len(y)
    return 0.0 if small or around <= 0.5 * float(power.sum()) else len(y) / max(top, 1)


def theil_sen(t: Array, y: Array) -> Estimate:
    """Median of the slopes of all pairs, with Sen's interval at the 95 % level (normal approximation)."""
    n = len(t)
    if n < 2:
        return Estimate(0.0, 0.0, 0.0)
    first, second = np.triu_indices(n, 1)
    slopes = np.sort((y[second] - y[first]) / (t[second] - t[first]))
    spread = Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, math.floor((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return Estimate(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Sampled allocations of one place: when each was made and freed (s, inf: never), and the bytes it stands for."""

    born: Array
    died: Array
    weight: Array


def judge_lifetimes(one: Lifetimes, start: float, end: float, floor: float) -> Growth:
    """Judge a place's allocations between `start` and `end` (s); the start-up third counts only as what was there.

    TOO_FEW: some that is old survives, too little to say more of; another view has to say whether memory grows.
    """
    begin = start + (end - start) * START_UP
    alive = one.died > end
    edges = np.linspace(begin, end, 5)
    quarter = np.searchsorted(edges, one.born, side="right") - 1
    survivors = [alive & (quarter == number) for number in range(4)]
    sums = np.array([one.weight[mask].sum() for mask in survivors])
    settled = survivors[0] | survivors[1] | survivors[2]  # of the last quarter, some has yet to die
    span = edges[3] - begin
    value, spread = float(one.weight[settled].sum()), Z * math.sqrt(float((one.weight[settled] ** 2).sum()))
    rate = Estimate(value / span, max(0.0, value - spread) / span, (value + spread) / span)
    early, late = float(sums[:2].sum()), float(sums[2:].sum())
    if rate.low <= floor:
        some = int(settled.sum()) >= FEWEST_SURVIVORS and early > 0 and rate.value > floor
        return Growth(TOO_FEW if some else NO_LEAK, rate, 0.0)
    noise = math.sqrt(1.0 / max(1, int((survivors[0] | survivors[1]).sum())) + 1.0 / max(1, int(settled.sum()) // 2))
    steadiness = late / early if early > 0 else math.inf
    if steadiness > 2.2 + noise or sums[0] < (0.35 - noise / 2) * sums.mean():
        return Growth(NO_LEAK, rate, steadiness)  # what is old is gone
    if _is_full(one, edges, end) or steadiness < STOPPED * (1 - noise / 2):
        return Growth(NO_LEAK, rate, steadiness)
    # Within what so few samples scatter: whether memory goes on growing is for resident memory to say.
    return Growth(LEAK if steadiness >= STEADY - noise else MORE_TIME, rate, steadiness)


def _is_full(one: Lifetimes, edges: Array, end: float) -> bool:
    """Whether, in the last eighth, as much that is old dies as is born to stay: a bound was reached."""
    last = end - (edges[4] - edges[3]) / 2
    old = (one.died > last) & (one.died <= end) & (one.died - one.born > edges[1] - edges[0])
    new = (one.born > last) & (one.died > end)
    return float(one.weight[old].sum()) > 0.5 * float(one.weight[new].sum()) and int(old.sum()) >= 2
