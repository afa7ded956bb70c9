"""The statistics of a comparison: one log-ratio per pair of processes, Student's t over pairs, Holm over questions.

Two processes of one program differ by about one percent however long each is measured, so slices of one pair of
processes are no independent evidence (Kalibera and Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LEVEL = 0.95
POWER = 0.80
SMALLEST_P = 1e-12
LARGEST_LOG = 700.0
_MOST_FREEDOM = 400  # beyond, Student's t is the normal distribution to three digits


@dataclass(frozen=True, slots=True)
class Effect:
    """A change on the log scale, with its standard error, degrees of freedom, and the units it rests on.

    `looks`: how often the data may be looked at before the comparison ends. Each look's error probabilities are
    divided by it (Bonferroni), so stopping at any look keeps the promised rate of false alarms.
    """

    log: float
    error: float
    freedom: int
    count: int
    looks: int = 1

    @property
    def ratio(self) -> float:
        """Candidate over baseline."""
        return ratio_of(self.log)

    @property
    def p(self) -> float:
        """Two-sided p-value of "no change", corrected for the looks."""
        if self.error <= 0:
            return 1.0 if self.log == 0 else SMALLEST_P
        return min(1.0, self.looks * two_sided_p(self.log / self.error, self.freedom))

    def bounds(self, level: float = LEVEL) -> tuple[float, float]:
        """Interval of the change on the log scale; it holds at all looks together."""
        half = quantile((1 - level) / self.looks, self.freedom) * self.error
        return self.log - half, self.log + half

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The same for the ratio."""
        low, high = self.bounds(level)
        return ratio_of(low), ratio_of(high)

    def detectable(self, alpha: float, power: float = POWER) -> float:
        """The smallest change (log scale) that would be found significant at `alpha` with this power."""
        found = quantile(alpha / self.looks, self.freedom) + quantile(2 * (1 - power), self.freedom)
        return found * self.error


def ratio_of(log: float) -> float:
    """A change on the log scale as a ratio; beyond what a float holds it stays at its end."""
    return math.exp(max(-LARGEST_LOG, min(log, LARGEST_LOG)))


def hodges_lehmann(values: Array) -> float:
    """The median of all means of two values (Hodges and Lehmann, 1963): an outlier moves it little."""
    first, second = np.triu_indices(len(values))
    return float(np.median((values[first] + values[second]) / 2))


def paired(logs: Array, looks: int = 1) -> Effect | None:
    """Effect from one log-ratio per pair; None with fewer than two pairs."""
    count = len(logs)
    if count < 2:
        return None
    error = float(np.std(logs, ddof=1)) / math.sqrt(count)
    return Effect(float(np.mean(logs)), error, count - 1, count, looks)


def unpaired(baseline: Array, candidate: Array) -> Effect | None:
    """Effect from the logs of two sets of runs (Welch, 1947); None with fewer than two runs on a side."""
    if min(len(baseline), len(candidate)) < 2:
        return None
    parts = [float(np.var(side, ddof=1)) / len(side) for side in (baseline, candidate)]
    total = sum(parts)
    change = float(np.mean(candidate) - np.mean(baseline))
    count = min(len(baseline), len(candidate))
    if total <= 0:
        return Effect(change, 0.0, count - 1, count)
    spread = sum(part**2 / (len(side) - 1) for part, side in zip(parts, (baseline, candidate), strict=True))
    return Effect(change, math.sqrt(total), max(1, int(total**2 / spread)), count)


def widened(effect: Effect, drift: float) -> Effect:
    """The same change with a standard error that also allows for `drift` (log scale) between the two sides."""
    return replace(effect, error=math.hypot(effect.error, drift))


def holm(p: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Adjusted p-values: below alpha, and the chance of any false alarm among all is at most alpha.

    `weights` add up to one: the share of alpha that each question gets to begin with (Holm 1979, section 4).
    """
    order = sorted(range(len(p)), key=lambda index: p[index] / weights[index])
    adjusted = [1.0] * len(p)
    running, left = 0.0, sum(weights)
    for index in order:
        running = max(running, min(1.0, left * p[index] / weights[index]))
        adjusted[index] = running
        left -= weights[index]
    return adjusted


def two_sided_p(t: float, freedom: int) -> float:
    """Probability of a Student's t beyond `t` on either side, whole degrees of freedom.

    The finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    if freedom > _MOST_FREEDOM:
        return max(SMALLEST_P, math.erfc(abs(t) / math.sqrt(2)))
    angle = math.atan(abs(t) / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    term = total = math.cos(angle) if freedom % 2 else 1.0
    for index in range(2 + freedom % 2, freedom - 1, 2):
        term *= square * (index - 1) / index
        total += term
    if freedom % 2 == 0:
        inside = math.sin(angle) * total
    else:
        inside = 2 / math.pi * (angle + (math.sin(angle) * total if freedom > 1 else 0.0))
    return min(1.0, max(SMALLEST_P, 1.0 - inside))


def quantile(alpha: float, freedom: int) -> float:
    """The t that is exceeded on either side with probability `alpha`."""
    low, high = 0.0, 1.0
    while two_sided_p(high, freedom) > alpha and high < 1e12:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_p(middle, freedom) > alpha else (low, middle)
    return high
