"""Which function's CPU time per operation grows with the operations done, and how much of its time is growth.

Time that the machine itself runs slower in is told by all other functions getting dearer at once: the growth that
counts is the smaller of that of the cost and that of its ratio to the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CPU, Charges
from storeprof.analysis.context import Context
from storeprof.analysis.entries import is_entry
from storeprof.analysis.growth import Growth, fit_growth, fit_order
from storeprof.analysis.operations_over_time import OperationsOverTime

Array = np.ndarray[Any, Any]

SMALLEST_PART = 0.05  # of the CPU time: smaller functions are not fitted
MOSTLY = 0.6
FEWEST_REST = 0.1
LOOK_NS = 5e6
MACHINE_NOISE = 0.1


@dataclass(frozen=True)
class Cost:
    """A function, callees included: its rows (a mask over busy wall), its CPU time per window and the rest's, in ns."""

    function: int
    mask: Array
    own: Array
    rest: Array


@dataclass(frozen=True)
class Grown:
    """A cost that grows: its fit (CPU ns per operation), and the fraction of each busy row that is growth."""

    cost: Cost
    growth: Growth
    fraction: Array
    weight_ns: float


def innermost_growth(context: Context, series: OperationsOverTime) -> Grown | None:
    """The function with the least time among those that hold most of what grows; None when nothing clearly does.

    That it grows must be clear from one of them, mostly an outer one: the inner ones, of fewer looks, only go along.
    """
    inside, sized = _sized(context, series)
    # Whose cost does not grow need not be placed row by row: in most recordings that is all of them.
    if not any(_smaller_growth(series, one) for one in sized):
        return None
    costs = _placed(context, inside, sized)
    clear = [_grown(context, series, one, growth) for one in costs if (growth := _smaller_growth(series, one))]
    if not clear:
        return None
    most = max(clear, key=lambda one: one.weight_ns)
    done, order = series.done, most.growth.order
    fits = [fit_order(order, done, one.own / series.count, _weights(one.own / series.count, one.own)) for one in costs]
    along = [_grown(context, series, one, fit) for one, fit in zip(costs, fits, strict=True)]
    inner = [one for one in [most, *along] if one.weight_ns >= MOSTLY * most.weight_ns]
    key = min(inner, key=lambda one: float(one.cost.own.sum())).cost.function
    return next((one for one in clear if one.cost.function == key), None) or next(
        one for one in along if one.cost.function == key
    )


def _sized(context: Context, series: OperationsOverTime) -> tuple[Array, list[Cost]]:
    """Rows of the operations, and the functions that take a fair part of their CPU time, not placed yet."""
    rows, windows = context.busy, len(series.count)
    window = _windows(context, series)
    inside = (rows.category == CPU) & (window >= 0) & (window < windows)
    if series.nodes and (of_operation := inside & np.isin(rows.node, series.nodes)).any():
        inside = of_operation
    total = np.bincount(window[inside], weights=rows.weight_ns[inside], minlength=windows)
    sums = _by_function(context, rows.where(inside), window[inside], windows)
    fair = [(key, own) for key, own in sums.items() if own.sum() >= SMALLEST_PART * total.sum()]
    return inside, [Cost(key, inside, own, total - own) for key, own in fair]


def _placed(context: Context, inside: Array, sized: list[Cost]) -> list[Cost]:
    """The costs with their own rows alone; entries and loops are left out."""
    rows = context.busy
    placed = [replace(one, mask=inside & context.stacks.having(one.function, rows.stack)) for one in sized]
    return [one for one in placed if not is_entry(context, one.function, rows.where(one.mask))]


def _by_function(context: Context, rows: Charges, window: Array, windows: int) -> dict[int, Array]:
    """CPU time per window of the program's own functions, callees included."""
    stacks, at = np.unique(rows.stack, return_inverse=True)
    size = len(stacks) * windows
    cells = np.bincount(at * windows + window, weights=rows.weight_ns, minlength=size).reshape(-1, windows)
    found: dict[int, Array] = {}
    for stack, of_stack in zip(stacks.tolist(), cells, strict=True):
        for key in {frame.function for frame in context.stacks.own_frames(stack)}:
            found[key] = found.get(key, 0.0) + of_stack
    return found


def _windows(context: Context, series: OperationsOverTime) -> Array:
    """The window each row of busy wall falls into; -1 or one too many outside."""
    found: Array = np.searchsorted(series.edges_ns, context.busy.t_ns, side="right") - 1
    return found


def _grown(context: Context, series: OperationsOverTime, cost: Cost, growth: Growth) -> Grown:
    fitted = growth.cost(series.done)
    part = 1.0 - np.divide(growth.start(series.done[0]), fitted, out=np.ones(len(fitted)), where=fitted > 0)
    window = np.clip(_windows(context, series), 0, len(part) - 1)
    fraction = np.where(cost.mask, np.clip(part, 0.0, 1.0)[window], 0.0)
    return Grown(cost, growth, fraction, float((context.busy.weight_ns * fraction).sum()))


def _smaller_growth(series: OperationsOverTime, of: Cost) -> Growth | None:
    """The fit of the cost, or of its ratio to the rest where that grows less; None when either does not grow."""
    cost = of.own / series.count
    raw = fit_growth(series.done, cost, _weights(cost, of.own))
    if raw is None or of.rest.sum() < FEWEST_REST * of.own.sum() or not (of.rest > 0).all():
        return raw
    relative = of.own / of.rest * (of.rest.sum() / series.count.sum())
    # That it grows to the end is for the cost to say: the ratio has the noise of both.
    steady = fit_growth(series.done, relative, _weights(relative, of.own), to_the_end=False)
    if steady is None:
        return None
    return min((raw, steady), key=lambda one: 1.0 - one.start(series.done[0]) / float(one.cost(series.done)[-1]))


def _weights(cost: Array, own: Array) -> Array:
    """One over the variance: a slower moment makes all of it dearer in proportion, and time is counted in looks."""
    look = LOOK_NS * np.sqrt(np.maximum(own, LOOK_NS) / LOOK_NS)
    sampling = look * np.divide(cost, own, out=np.full(len(own), cost.sum() / own.sum()), where=own > 0)
    weights: Array = 1.0 / ((MACHINE_NOISE * cost) ** 2 + sampling**2)
    return weights
