"""How a cost grows with what was done before: its order by least squares, or none.

Orders are compared by Akaike's criterion ("A new look at the statistical model identification", IEEE TAC 19, 1974),
with a constant and with a cost that levels off as rivals: a cache that warms up or a store that fills its first level
grows, too, and then no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# The commonest first: of orders that fit about equally well the first is named.
ORDERS: dict[str, Callable[[Array], Array]] = {
    "n": lambda n: n,
    "log n": lambda n: np.log(np.maximum(n, 1.0)),
    "n^0.5": np.sqrt,
    "n log n": lambda n: n * np.log(np.maximum(n, 2.0)),
    "n^2": np.square,
}
EXPONENTS = np.round(np.arange(0.1, 3.01, 0.05), 2)
FEWEST_POINTS = 6
CLEARLY = 6.0  # of Akaike's criterion better than a constant
LEVELS_BY = 0.65  # of the run: levelling off later can't be told from growing on
EQUALLY = 2.0
WITHIN = 3.84  # of the log-likelihood ratio: the 95 % interval of one parameter


@dataclass(frozen=True)
class Growth:
    """cost(n) = base + slope * order(n), and the exponent of n with its 95 % interval."""

    order: str
    base: float
    slope: float
    exponent: tuple[float, float, float]

    def cost(self, n: Array) -> Array:
        """Fitted cost after n operations."""
        fitted: Array = self.base + self.slope * ORDERS[self.order](np.asarray(n, dtype=np.float64))
        return fitted

    def start(self, first: float) -> float:
        """The level growth is counted from: that of no operations, or, for log n, of the first ones."""
        return float(self.cost(np.array([first]))[0]) if self.order == "log n" else self.base


def fit_growth(n: Array, cost: Array, weight: Array, to_the_end: bool = True) -> Growth | None:
    """Fit cost per operation against operations done before; None when it does not clearly grow (to the end).

    `n`, `cost` and `weight` (of the squared residuals) are arrays of one length, n ascending.
    """
    if len(n) < FEWEST_POINTS or cost.max() <= 0:
        return None
    weight = weight / weight.sum()
    constant = _criterion(_residual(cost, np.full(len(n), np.average(cost, weights=weight)), weight), len(n), 1)
    fits = {name: _line(shape(n), cost, weight) for name, shape in ORDERS.items()}
    scores = {name: _criterion(fit[2], len(n), 2) for name, fit in fits.items() if fit[1] > 0}
    if not scores:
        return None
    lowest = min(scores.values())
    best = next(name for name in ORDERS if scores.get(name, np.inf) <= lowest + EQUALLY)
    if constant - scores[best] < CLEARLY or (to_the_end and _ends_early(n, cost, weight, fits[best][2])):
        return None
    return Growth(best, fits[best][0], fits[best][1], _exponent(n, cost, weight))


def fit_order(order: str, n: Array, cost: Array, weight: Array) -> Growth:
    """The same for a cost that is known to grow by this order, however little."""
    base, slope, _ = _line(ORDERS[order](n), cost, weight / weight.sum())
    return Growth(order, base, slope, _exponent(n, cost, weight / weight.sum()))


def _line(x: Array, y: Array, weight: Array) -> tuple[float, float, float]:
    """Base and slope, neither negative, and the weighted sum of squared residuals."""
    mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
    spread = np.average((x - mean_x) ** 2, weights=weight)
    slope = float(np.average((x - mean_x) * (y - mean_y), weights=weight) / spread) if spread > 0 else 0.0
    slope = max(slope, 0.0)
    base = float(mean_y - slope * mean_x)
    if base < 0:
        base, slope = 0.0, max(0.0, float((weight * x * y).sum() / (weight * x * x).sum()))
    return base, slope, _residual(y, base + slope * x, weight)


def _residual(y: Array, fitted: Array, weight: Array) -> float:
    return float((weight * (y - fitted) ** 2).sum())


def _criterion(residual: float, points: int, parameters: int) -> float:
    """Akaike's, with its correction for few points (Hurvich and Tsai 1989)."""
    free = parameters + 1
    correction = 2 * free * (free + 1) / max(points - free - 1, 1)
    return points * float(np.log(max(residual, 1e-300))) + 2 * free + correction


def _ends_early(n: Array, cost: Array, weight: Array, residual: float) -> bool:
    """Whether growing up to some point in the run and no further, or one step, fits the costs as well.

    Compared without a price for the rivals' third parameter: in doubt a cost has levelled off.
    """
    middle = n[(n > n[0]) & (n < n[-1])]
    early = middle[middle < LEVELS_BY * n[-1]]
    rivals = [np.minimum(n, knee) for knee in early.tolist()] + [(n > step) * 1.0 for step in middle.tolist()]
    return any(_line(rival, cost, weight)[2] < residual for rival in rivals)


def _exponent(n: Array, cost: Array, weight: Array) -> tuple[float, float, float]:
    residuals = np.array([_line((n / n[-1]) ** power, cost, weight)[2] for power in EXPONENTS.tolist()])
    ratio = len(n) * np.log(np.maximum(residuals, 1e-300) / max(float(residuals.min()), 1e-300))
    inside = EXPONENTS[ratio <= WITHIN]
    return float(EXPONENTS[int(np.argmin(residuals))]), float(inside.min()), float(inside.max())
