"""What the other threads did while a thread waited: the likely other side of the wait.

All threads are looked at in one round, so rows a few milliseconds apart belong together. Work that goes on all the time
is beside every wait; what counts is being there more than its part of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.charges import CATEGORIES, GIL, RUN_QUEUE, Charges
from storeprof.analysis.finding import Shared
from storeprof.analysis.grouping import distinct
from storeprof.analysis.operation_looks import nearest
from storeprof.analysis.stacks import Stacks

Array = np.ndarray[Any, Any]

NEAR_NS = 3_000_000
MORE_THAN_CHANCE = 1.5
ALWAYS_COUNT = (GIL, RUN_QUEUE)  # the other side of these is whoever runs, however steadily


@dataclass(frozen=True)
class OtherWork:
    """Functions of other threads by their part of what went on, and what they mostly did there (a wall category)."""

    functions: tuple[Shared, ...] = ()
    category: str | None = None


def work_beside(busy: Charges, waiting: Charges, category: int, stacks: Stacks, run_ns: int) -> OtherWork:
    """What other threads did while the `waiting` rows (all of one category) waited, in a run of `run_ns`."""
    order = np.argsort(waiting.t_ns, kind="stable")
    times, threads, holders = waiting.t_ns[order], waiting.thread[order], waiting.holder[order]
    # Who waits for the same is no cause of the wait.
    others = busy.where((busy.category != category) & (busy.stack >= 0))
    if len(times) == 0 or len(others.t_ns) == 0:
        return OtherWork()
    at = nearest(times, others.t_ns)
    near = (np.abs(times[at] - others.t_ns) <= NEAR_NS) & (threads[at] != others.thread)
    if category == GIL:
        near &= (holders[at] < 0) | (holders[at] == others.thread)
    if category not in ALWAYS_COUNT:
        near &= _more_than_chance(others, near, _part_of_run(waiting, run_ns), stacks)
    rows = others.where(near)
    if len(rows.t_ns) == 0:
        return OtherWork()
    sums = np.bincount(rows.category, weights=rows.weight_ns, minlength=len(CATEGORIES))
    return OtherWork(_functions(stacks, rows), CATEGORIES[int(sums.argmax())])


def _part_of_run(waiting: Charges, run_ns: int) -> float:
    """Part of the run in which somebody waited; threads that wait together are counted once."""
    together = max(1, len(np.unique(waiting.thread)))
    return float(waiting.weight_ns.sum()) / together / max(run_ns, 1)


def _more_than_chance(others: Charges, near: Array, part: float, stacks: Stacks) -> Array:
    """Rows of functions that are beside the waits more often than their part of the run says."""
    stack, back = distinct(others.stack)
    places = [stacks.place(one) for one in stack.tolist()]
    function = np.array([place.function if place else 0 for place in places], dtype=np.int64)[back]
    whole = np.bincount(function, weights=others.weight_ns)
    beside = np.bincount(function, weights=others.weight_ns * near)
    found: Array = (beside > MORE_THAN_CHANCE * part * whole)[function]
    return found


def _functions(stacks: Stacks, rows: Charges) -> tuple[Shared, ...]:
    """The function all of it belongs to, where there is one, then the places themselves."""
    places = describe.functions(stacks, rows)
    whole = describe.deepest_function(stacks, rows)
    if whole is None or any(place.function == whole.function for place in places):
        return places
    return (whole, *places)
