"""How much a look lengthens the operation that it falls into.

Where no CPU is to spare, the sampler runs on the program's own for the time of a look (some 50 us), and an operation of
100 us that was looked at is told as one of 150. Operations that happened to be kept without a look say how long they
are otherwise: a look falls into an operation in proportion to its length, so lengths of operations looked at, and
lengths of the others weighted by length, would be the same numbers without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

FEWEST = 20  # operations of each sort
QUANTILES = np.linspace(0.05, 0.5, 10)  # the lower half: tails are thin, and a constant is nothing to a long operation
MOST_S = 0.00025


@dataclass(frozen=True)
class LookCost:
    """Seconds that a look adds to an operation, and how far single ones are off that."""

    usual_s: float = 0.0
    spread_s: float = 0.0


def look_cost(looked_at_s: Array, weight: Array, others_s: Array, others_weight: Array) -> LookCost:
    """What looks add: lengths of operations on the CPU when looked at, beside the lengths of others.

    `weight`: of each look; `others_weight`: how many operations each of the others stands for. Nothing where too few
    are known.
    """
    if len(looked_at_s) < FEWEST or len(others_s) < FEWEST:
        return LookCost()
    longer = _quantiles(looked_at_s, weight) - _quantiles(others_s, others_weight * others_s)
    usual, most = np.clip([np.median(longer), longer.max()], 0.0, MOST_S)
    return LookCost(float(usual), float(most - usual))


def _quantiles(values: Array, weight: Array) -> Array:
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    at = np.minimum(np.searchsorted(reached, QUANTILES * reached[-1]), len(values) - 1)
    found: Array = values[order][at]
    return found
