"""What other threads did more than usual while some threads waited: the other side of the waits of a tail.

All threads are looked at in one round, so rows a few milliseconds apart belong together (`beside.py`). A tail is a
small part of the run: work that goes on all the time is beside each of its waits, and what counts is being there more
than its part of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import CATEGORIES, GIL, RUN_QUEUE, Charges
from storeprof.analysis.accounting.native_places import nearest_of
from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.finding import Shared

if TYPE_CHECKING:
    from storeprof.analysis.context import Context

Array = np.ndarray[Any, Any]

NEAR_NS = 3_000_000
MORE_THAN_CHANCE = 1.5
ALWAYS_COUNT = (GIL, RUN_QUEUE)  # the other side of these is whoever runs, however steadily


@dataclass(frozen=True)
class OtherWork:
    """Functions of other threads by their part of what went on, and what they mostly did there (a wall category)."""

    functions: tuple[Shared, ...] = ()
    category: str | None = None


def work_beside(context: Context, waiting: Charges, category: int) -> OtherWork:
    """What other threads did while the `waiting` rows (all of one category) waited."""
    if len(waiting) == 0:
        return OtherWork()
    busy, others = context.busy, context.some_busy
    # Who waits for the same is no cause of the wait.
    others = others[(busy.category[others] != category) & (context.function[others] >= 0)]
    order = np.argsort(waiting.t_ns, kind="stable")
    at = order[nearest_of(waiting.t_ns[order], busy.t_ns[others])]
    beside = np.abs(waiting.t_ns[at] - busy.t_ns[others]) <= NEAR_NS
    beside &= waiting.thread[at] != busy.thread[others]
    if category == GIL:
        beside &= (waiting.holder[at] < 0) | (waiting.holder[at] == busy.thread[others])
    near = others[beside]
    if category not in ALWAYS_COUNT:
        near = near[_more_than_chance(context, others, near, _part_of_run(context, waiting))]
    if len(near) == 0:
        return OtherWork()
    rows = busy.where(near)
    sums = np.bincount(rows.category, weights=rows.weight_ns, minlength=len(CATEGORIES))
    return OtherWork(_functions(context.stacks, rows), CATEGORIES[int(sums.argmax())])


def _part_of_run(context: Context, waiting: Charges) -> float:
    """Part of the run in which somebody waited; threads that wait together are counted once."""
    together = max(1, len(np.unique(waiting.thread)))
    start, end = context.recording.window
    return float(waiting.weight_ns.sum()) / together / max(end - start, 1)


def _more_than_chance(context: Context, others: Array, near: Array, part: float) -> Array:
    """Which of the rows at `near` are of functions that are there more often than this part of the run says."""
    whole, beside = (
        np.bincount(
            context.function[rows], weights=context.busy.weight_ns[rows], minlength=len(context.stacks.functions)
        )
        for rows in (others, near)
    )
    found: Array = (beside > MORE_THAN_CHANCE * part * whole)[context.function[near]]
    return found


def _functions(stacks: Stacks, rows: Charges) -> tuple[Shared, ...]:
    """The function all of it belongs to, where there is one, then the places themselves."""
    places = describe.functions(stacks, rows)
    whole = describe.deepest_function(stacks, rows)
    if whole is None or any(place.function == whole.function for place in places):
        return places
    return (whole, *places)
