"""Confidence intervals of shares: block bootstrap over 250-ms blocks of wall time, all threads together.

Looks are not independent (a thread seen in a function is likely to be seen there 5 ms later), so whole blocks are
drawn again, not looks: Kunsch, "The jackknife and the bootstrap for general stationary observations", Annals of
Statistics 17 (1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BLOCK_NS = 250_000_000
RESAMPLES = 1000
LEVEL = 0.95
FEWEST_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval at the 95 % level."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float]:
        """[low, high], rounded to what the interval supports."""
        return [round(self.low, 4), round(self.high, 4)]


class Blocks:
    """The blocks of one window and the resamples drawn from them, the same for every share of a document."""

    def __init__(self, window: tuple[int, int], seed: int = 1) -> None:
        self._start = window[0]
        self.count = max(1, -(-(window[1] - window[0]) // BLOCK_NS))
        generator = np.random.default_rng(seed)
        self._draws = generator.integers(0, self.count, size=(RESAMPLES, self.count))

    @property
    def enough(self) -> bool:
        """Whether there are enough blocks for an interval to mean anything."""
        return self.count >= FEWEST_BLOCKS

    def sums(self, t_ns: Array, weights: Array) -> Array:
        """Weight per block."""
        block = np.clip((t_ns - self._start) // BLOCK_NS, 0, self.count - 1).astype(np.int64)
        return np.bincount(block, weights=weights, minlength=self.count)

    def sums_by(self, t_ns: Array, weights: Array, key: Array, keys: int) -> Array:
        """Weight per block and key (0 to `keys` - 1): an array of shape (count, keys)."""
        block = np.clip((t_ns - self._start) // BLOCK_NS, 0, self.count - 1).astype(np.int64)
        return np.bincount(block * keys + key, weights=weights, minlength=self.count * keys).reshape(-1, keys)

    @cached_property
    def _times_drawn(self) -> Array:
        """How often each resample drew each block: shape (RESAMPLES, count)."""
        flat = self._draws + np.arange(RESAMPLES)[:, None] * self.count
        return np.bincount(flat.ravel(), minlength=RESAMPLES * self.count).reshape(RESAMPLES, -1).astype(np.float64)

    def resampled(self, sums: Array) -> Array:
        """Per-block sums of shape (count, keys), added up over each resample: shape (RESAMPLES, keys)."""
        drawn: Array = self._times_drawn @ sums
        return drawn

    def share(self, part: Array, whole: Array) -> Estimate:
        """Share of two per-block sums, with its interval by the percentile method."""
        total = float(whole.sum())
        if total <= 0:
            return Estimate(0.0, 0.0, 0.0)
        parts, wholes = part[self._draws].sum(axis=1), whole[self._draws].sum(axis=1)
        ratios = np.divide(parts, wholes, out=np.zeros(RESAMPLES), where=wholes > 0)
        edge = (1.0 - LEVEL) / 2
        low, high = np.quantile(ratios, [edge, 1.0 - edge])
        return Estimate(float(part.sum()) / total, float(low), float(high))


def binomial(share: Array, seen: int) -> tuple[Array, Array]:
    """Lower and upper bounds of shares of which `seen` independent cases tell (Wilson, JASA 22, 1927).

    A bootstrap of cases that all agree has no width; this has.
    """
    z = 1.96
    centre = (share + z**2 / (2 * seen)) / (1 + z**2 / seen)
    half = z / (1 + z**2 / seen) * np.sqrt(share * (1 - share) / seen + z**2 / (4 * seen**2))
    return centre - half, centre + half
