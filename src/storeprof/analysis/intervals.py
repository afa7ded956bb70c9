"""Confidence intervals of shares and rates: from blocks of 250 ms of wall time, all threads together.

Looks are not independent (a thread seen in a function is likely to be seen there 5 ms later), and blocks are not
either where a program's phases last longer. The error of a ratio of sums over blocks therefore comes from the long-run
variance of its residuals: Bartlett's kernel (Newey and West, Econometrica 55, 1987) as wide as the residuals'
autocorrelation asks for (Andrews, Econometrica 59, 1991), with critical values that know the width (Kiefer and
Vogelsang, Econometric Theory 21, 2005). Shares are taken on the logit scale, rates on the log scale, so that a small
one has the long end of its interval above it. (Drawing blocks again, the bootstrap of Kunsch 1989, covered 65 to 92 %
instead of 95 in runs of 8 s; docs/decisions/0011-intervals.md.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BLOCK_NS = 250_000_000
RESAMPLES = 1000
LEVEL = 0.95
FEWEST_BLOCKS = 8
MOST_BLOCKS = 400  # a longer run has longer blocks: more of them tell no more
NORMAL = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval at the 95 % level."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float]:
        """[low, high], rounded to what the interval supports."""
        return [round(self.low, 4), round(self.high, 4)]


def student_t(freedom: float) -> float:
    """The 97.5 % quantile of Student's t for 1 degree of freedom or more.

    Exact for 1 and 2; else Fisher and Cornish's expansion (Abramowitz and Stegun 26.7.5), off by less than 0.005.
    """
    if freedom < 2:
        return 12.7062
    if freedom < 3:
        return 4.3027
    z, n = NORMAL, freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + float(sum(term / n ** (order + 1) for order, term in enumerate(terms)))


def half_width(residuals: Array) -> float:
    """Half the 95 % interval of a mean, from the residuals of its terms in order of time (at least two)."""
    count = len(residuals)
    variance = float(residuals @ residuals) / count
    if variance <= 0:
        return 0.0
    lag_one = float(residuals[1:] @ residuals[:-1]) / (count * variance)
    correlation = min(max(lag_one + (1 + 3 * lag_one) / count, 0.0), 0.97)  # Kendall's correction for few terms
    width = float(min(1.1447 * (4 * correlation**2 / (1 - correlation**2) ** 2 * count) ** (1 / 3), count / 2))
    long_run = variance + sum(
        2 * (1 - lag / (width + 1)) * float(residuals[lag:] @ residuals[:-lag]) / count
        for lag in range(1, int(width) + 1)
    )
    part = width / count
    critical = NORMAL + 2.9694 * part + 0.4160 * part**2 - 0.5324 * part**3
    few = student_t(count - 1) / NORMAL
    return critical * few * math.sqrt(max(long_run, variance) / (count - 1))


def ratio(part: Array, whole: Array) -> tuple[float, float]:
    """Ratio of two sums over the same blocks, and half its 95 % interval (infinite with a single block)."""
    value = float(part.sum() / whole.sum())
    if len(part) < 2:
        return value, math.inf
    return value, half_width((part - value * whole) / whole.mean())


def share_of(part: Array, whole: Array) -> Estimate:
    """Share of two sums over the same blocks, between 0 and 1."""
    if whole.sum() <= 0:
        return Estimate(0.0, 0.0, 0.0)
    value, half = ratio(part, whole)
    if not 0 < value < 1:
        return Estimate(value, value, value)
    centre, spread = math.log(value / (1 - value)), half / (value * (1 - value))
    return Estimate(value, _logistic(centre - spread), _logistic(centre + spread))


def rate_of(count: Array, seconds: Array) -> Estimate | None:
    """Rate of events counted over slices of time; None with too few slices for an interval, or without events."""
    if len(count) < FEWEST_BLOCKS or count.sum() <= 0 or seconds.sum() <= 0:
        return None
    value, half = ratio(count, seconds)
    spread = math.exp(min(half / value, 50.0))
    return Estimate(value, value / spread, value * spread)


def binomial(share: Array, seen: int) -> tuple[Array, Array]:
    """Lower and upper bounds of shares of which `seen` independent cases tell (Wilson, JASA 22, 1927).

    A bootstrap of cases that all agree has no width; this has.
    """
    centre = (share + NORMAL**2 / (2 * seen)) / (1 + NORMAL**2 / seen)
    half = NORMAL / (1 + NORMAL**2 / seen) * np.sqrt(share * (1 - share) / seen + NORMAL**2 / (4 * seen**2))
    return centre - half, centre + half


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


class Blocks:
    """The blocks of one window and the resamples drawn from them, the same for every share of a document."""

    def __init__(self, window: tuple[int, int], seed: int = 1, shortest_ns: int = BLOCK_NS) -> None:
        self._start = window[0]
        self._length = max(shortest_ns, (window[1] - window[0]) // MOST_BLOCKS)
        self.count = max(1, -(-(window[1] - window[0]) // self._length))
        self._seed = seed

    @property
    def enough(self) -> bool:
        """Whether there are enough blocks for an interval to mean anything."""
        return self.count >= FEWEST_BLOCKS

    def of(self, t_ns: Array) -> Array:
        """Block that each time lies in; times outside the window count to its first or last."""
        block: Array = np.clip((t_ns - self._start) // self._length, 0, self.count - 1)
        return block.astype(np.int32)

    def sums(self, t_ns: Array, weights: Array) -> Array:
        """Weight per block."""
        return np.bincount(self.of(t_ns), weights=weights, minlength=self.count)

    def sums_by(self, t_ns: Array, weights: Array, key: Array, keys: int) -> Array:
        """Weight per block and key (0 to `keys` - 1): an array of shape (count, keys)."""
        cell = self.of(t_ns).astype(np.int64) * keys + key
        return np.bincount(cell, weights=weights, minlength=self.count * keys).reshape(-1, keys)

    @cached_property
    def _times_drawn(self) -> Array:
        """How often each resample drew each block: shape (RESAMPLES, count)."""
        draws = np.random.default_rng(self._seed).integers(0, self.count, size=(RESAMPLES, self.count))
        flat = draws + np.arange(RESAMPLES)[:, None] * self.count
        drawn = np.bincount(flat.ravel(), minlength=RESAMPLES * self.count)
        return drawn.astype(np.float32).reshape(RESAMPLES, -1)

    def resampled(self, sums: Array) -> Array:
        """Per-block sums (one array, or one per column), added up over each resample: RESAMPLES rows."""
        drawn: Array = self._times_drawn @ sums.astype(np.float32)  # else the large matrix is widened
        return drawn

    def share(self, part: Array, whole: Array) -> Estimate:
        """Share of two per-block sums, with its interval."""
        return share_of(part, whole)
