"""dependency-wait: waiting for another thread's or process's work (queues, conditions, results, pipes).

The wait is the symptom. Its place is what the other side does meanwhile, where one function of it stands out; the
function that waits is named as the resource then.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.accounting.beside import beside
from storeprof.analysis.accounting.charges import DEPENDENCY
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, cover_waits
from storeprof.analysis.describe import functions
from storeprof.analysis.finding import Finding, Impact, Where
from storeprof.analysis.gain import impact, smaller
from storeprof.analysis.kinds import waits

Array = np.ndarray[Any, Any]
STANDS_OUT = 0.5


def find(context: Context) -> list[Finding]:
    """Functions by the time they wait for others, each placed at what the others do meanwhile."""
    return [_finding(context, mask) for mask in waits.masks_by_function(context, [DEPENDENCY])]


def _finding(context: Context, mask: Array) -> Finding:
    waiter = waits.place_of(context, context.busy.where(mask))
    waiting = waiter.function or "native code"
    others = beside(context, mask)
    holders = functions(context.stacks, context.busy.where(others))
    top = holders[0] if holders and holders[0].share >= STANDS_OUT else None
    other = holders[0].function if holders else None
    group = waits.Group(
        mask,
        Where(top.function, top.file, top.line, waiter.operation, f"wait in {waiting}") if top else waiter,
        holders,
        evidence=(
            f"{context.amount(mask)} of waiting for others in {waiting}"
            + (f", while {other} was at work ({holders[0].share:.0%} of that time)" if other else ""),
        ),
        recommendation=(
            f"speed up {other}, which {waiting} waits for, or let more than one thread do it"
            if other
            else f"find out what {waiting} waits for: no other thread of the program ran"
        ),
        effort="module",
        gain=_gain(context, mask, others) if top else None,
    )
    return waits.wait_finding(context, "dependency-wait", group)


def _gain(context: Context, waiting: Array, others: Array) -> Impact:
    """What the waiter gains: its wait, at most what a busy other side gains without the work that stands out.

    The other side of a synchronous hand-off is idle while the waiter works: its work is on the waiter's own path.
    """
    rows = context.busy.where(others)
    work = int(np.argmax(np.bincount(context.function[others], weights=rows.weight_ns)))
    same = np.flatnonzero(~waiting & (context.function == work))
    their = same[np.isin(context.busy.where(same).thread, np.unique(rows.thread))]
    gain = impact(context, waiting, their)
    busy_side = context.limiting_threads[rows.thread]
    if rows.weight_ns[busy_side].sum() < 0.5 * rows.weight_ns.sum():
        return gain
    return smaller(gain, impact(context, their))


def cover(context: Context) -> Covered:
    """Whether such waits were looked at."""
    return cover_waits(context, "dependency-wait")
