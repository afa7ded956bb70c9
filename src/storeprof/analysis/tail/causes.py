"""What the components of an operation's time are: categories of wall time with the function and resource concerned.

Waits are told apart by the function that waits (files of a log change their names, locks may be many); time on the CPU
and waits for CPU or GIL are one component each, whose place is the deepest function that holds most of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import (
    CATEGORIES,
    DEPENDENCY,
    GIL,
    IO,
    LOCK,
    NETWORK,
    ON_CPU,
    PAGE_FAULT,
    RUN_QUEUE,
    SLEEP,
    Charges,
)
from storeprof.analysis.accounting.grouping import distinct
from storeprof.analysis.finding import Shared, Where
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.operations import Operation
from storeprof.analysis.resources import resource_name
from storeprof.analysis.tail.budget import OperationTime, TailBudget, TooThin, mean_shares, tail_budget
from storeprof.analysis.tail.coincidence import OtherWork, work_beside
from storeprof.analysis.tail.operation_looks import OperationLooks

if TYPE_CHECKING:
    from storeprof.analysis.context import Context

Array = np.ndarray[Any, Any]

BY_FUNCTION = (LOCK, IO, NETWORK, DEPENDENCY, PAGE_FAULT, SLEEP)
HAS_OTHER_SIDE = (LOCK, GIL, RUN_QUEUE, DEPENDENCY, IO, SLEEP)
SAME_WORK = 0.1  # of an ordinary operation's time: what takes that is done ordinarily
UNPLACED = 0.5  # of the time of ordinary operations without a stack: what they do is not known
SMALLEST = 0.02  # of a budget: smaller parts are left to its rest


@dataclass(frozen=True)
class Part:
    """One component of an operation's time.

    `share`: of the gap between P99 and P50, or of the mean; `rows`: the looks it was told from (in the tail, or all).
    """

    category: int
    place: Where
    share: Estimate
    rows: Charges

    @property
    def component(self) -> str:
        """Its category of wall time."""
        return CATEGORIES[self.category]


@dataclass(frozen=True)
class Cause:
    """A part of the tail: P99 over P99 without it; what other threads did meanwhile.

    `ordinary`: share of the time of operations around P50 that lies in the same category and function; None where too
    few of those were looked at. `everywhere`: the looks of this component in all operations of the name, `number`: of
    the component in the tail.
    """

    number: int
    part: Part
    speedup: Estimate
    beside: OtherWork
    ordinary: float | None
    everywhere: Charges

    @property
    def resource(self) -> str | None:
        """What the operation waits for or spends: file, lock, the other side's work, or the function itself."""
        place = self.part.place
        other = self.beside.functions[0].function if self.beside.functions else None
        if self.part.category in (GIL, RUN_QUEUE, DEPENDENCY):
            return other or place.resource or place.function
        return place.resource or (other if self.part.category == LOCK else None) or place.function


@dataclass(frozen=True)
class Tail:
    """The budget of one operation and of its mean, largest part first, small ones left out.

    `thin` says why there is no budget. `looks` are those inside the operation, `component` of each a number, `category`
    what kind of time a component is.
    """

    operation: Operation
    looks: OperationLooks
    component: Array
    category: Array
    budget: TailBudget | None
    causes: tuple[Cause, ...]
    mean: tuple[Part, ...]
    thin: TooThin | None = None


def operation_tails(context: Context) -> tuple[Tail, ...]:
    """The tails of all operations, in their order."""
    looks = context.operation_looks
    return tuple(_tail(context, one, looks.of(one.name)) for one in context.operations.operations)


def _tail(context: Context, operation: Operation, looks: OperationLooks) -> Tail:
    category, component = _components(context, looks.rows)
    time = OperationTime(
        looks.rows.t_ns, looks.rows.weight_ns, component, len(category), looks.duration_s, looks.number,
        looks.look_costs[looks.names.index(operation.name)].spread_s,
    )  # fmt: skip
    mean = _mean(context, operation, looks.rows, time, category)
    budget = tail_budget(operation.latency, time, context.blocks)
    if isinstance(budget, TooThin):
        return Tail(operation, looks, component, category, None, (), mean, budget)
    ordinary = _ordinary(looks.rows, budget)
    causes = [
        _cause(context, operation, (looks.rows, ordinary), budget, (one, component, category))
        for one in range(len(category))
        if budget.share[one].value >= SMALLEST
    ]
    ranked = tuple(sorted(causes, key=lambda one: -one.part.share.value))
    return Tail(operation, looks, component, category, budget, ranked, mean)


def _mean(
    context: Context, operation: Operation, rows: Charges, time: OperationTime, category: Array
) -> tuple[Part, ...]:
    """Parts of the mean, largest first."""
    if not len(category):
        return ()
    parts = []
    for one, share in enumerate(mean_shares(time, context.blocks)):
        if share.value < SMALLEST:
            continue
        mine = rows.where(time.component == one)
        place = _place(context, int(category[one]), mine, None)
        parts.append(Part(int(category[one]), _where(context, int(category[one]), mine, operation, place), share, mine))
    return tuple(sorted(parts, key=lambda part: -part.share.value))


def _ordinary(rows: Charges, budget: TailBudget) -> Charges | None:
    """The rows of operations around P50; None where too little is known of what those do."""
    if np.isnan(budget.in_middle).any():
        return None
    found = rows.where(budget.middle.rows)
    unplaced = (found.stack < 0) & np.isin(found.category, ON_CPU)
    return found if found.weight_ns[unplaced].sum() < UNPLACED * found.weight_ns.sum() else None


def _cause(
    context: Context,
    operation: Operation,
    seen: tuple[Charges, Charges | None],
    budget: TailBudget,
    which: tuple[int, Array, Array],
) -> Cause:
    one, component, category = which
    rows, ordinary = seen
    kind = int(category[one])
    tail = rows.where(budget.tail.rows & (component == one))
    place = _place(context, kind, tail, ordinary)
    part = Part(kind, _where(context, kind, tail, operation, place), budget.share[one], tail)
    inside = (component == one) & _inside(context, rows, place)
    weight = budget.middle.weight_ns
    usual = float(weight[inside].sum() / weight.sum()) if ordinary is not None else None
    return Cause(one, part, budget.speedup[one], _beside(context, part), usual, rows.where(inside))


def _components(context: Context, rows: Charges) -> tuple[Array, Array]:
    """The category of each component, and the component of each row."""
    function = np.where(np.isin(rows.category, BY_FUNCTION), context.place_functions(rows), -1)
    width = len(context.stacks.functions) + 1
    keys, component = distinct(rows.category.astype(np.int64) * width + function + 1)
    return keys // width, component


def _place(context: Context, category: int, rows: Charges, ordinary: Charges | None) -> Shared | None:
    """The function of a component.

    For waits the one that waits. Else the one whose own code it is, if there is one; else where the work begins that
    the `ordinary` rows do not do; else the deepest function that most of it lies in.
    """
    places = describe.functions(context.stacks, rows)
    if category in BY_FUNCTION or (places and places[0].share >= describe.MOST_OF_IT):
        return places[0] if places else None
    begins = describe.entry_function(context.stacks, rows, ordinary, SAME_WORK) if ordinary is not None else None
    return begins or describe.deepest_function(context.stacks, rows) or (places[0] if places else None)


def _where(context: Context, category: int, rows: Charges, operation: Operation, place: Shared | None) -> Where:
    resource = _resource(context, category, rows)
    if place is None:
        return Where(None, operation=operation.name, resource=resource)
    return Where(place.function, place.file, place.line, operation.name, resource)


def _inside(context: Context, rows: Charges, place: Shared | None) -> Array:
    """Rows with a function on their stack (all of them without one)."""
    if place is None:
        return np.ones(len(rows), dtype=bool)
    inside = np.zeros(len(rows), dtype=bool)
    for number, one in enumerate(context.stacks.functions):
        if (one.name, one.file, one.line) == (place.function, place.file, place.line):
            inside |= context.stacks.having(number, rows.stack)
    return inside


def _resource(context: Context, category: int, rows: Charges) -> str | None:
    if category == GIL:
        return "GIL"
    name = resource_name(context.recording, rows) if category in (LOCK, IO, NETWORK, PAGE_FAULT, DEPENDENCY) else None
    return None if name and name.startswith("lock at ") else name


def _beside(context: Context, part: Part) -> OtherWork:
    """What other threads did meanwhile; only of parts that another side can have."""
    if part.category not in HAS_OTHER_SIDE:
        return OtherWork()
    return work_beside(context, part.rows, part.category)
