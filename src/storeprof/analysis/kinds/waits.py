"""What the kinds that are waits have in common: group by place, size, gain, lines and paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis import describe, resources
from storeprof.analysis.charges import Charges
from storeprof.analysis.context import Context
from storeprof.analysis.finding import Finding, Shared, Where
from storeprof.analysis.gain import impact
from storeprof.analysis.system_calls import call_name

Array = np.ndarray[Any, Any]

SMALLEST_SHARE = 0.01
MOST = 4


@dataclass(frozen=True)
class Group:
    """Rows of `context.busy` (as a mask) that are one finding, and where it is."""

    mask: Array
    where: Where
    holders: tuple[Shared, ...] = ()
    evidence: tuple[str, ...] = ()
    recommendation: str = ""
    effort: str | None = None


def wait_finding(context: Context, kind: str, group: Group, per_operation: dict[str, Any] | None = None) -> Finding:
    """A finding from one group of waits, sized as a share of busy wall."""
    rows = context.busy.where(group.mask)
    share = context.share_of_busy(group.mask)
    return Finding(
        kind=kind,
        where=group.where,
        share=share,
        share_of="wall",
        wall_share=share,
        impact=impact(context, group.mask),
        lines=describe.lines(context.stacks, rows),
        call_paths=describe.call_paths(context.stacks, rows),
        holders=group.holders,
        per_operation=per_operation,
        effort=group.effort or describe.effort_of(context.stacks, rows),
        evidence=group.evidence,
        recommendation=group.recommendation,
    )


def masks_by_function(context: Context, categories: Sequence[int]) -> list[Array]:
    """Masks over `context.busy`, one per function that waits in these categories, largest first.

    Small ones are left out; rows without a place make a group of their own.
    """
    chosen = np.isin(context.busy.category, categories)
    function = context.place_functions(context.busy)
    return _ranked(context, [chosen & (function == key) for key in np.unique(function[chosen]).tolist()])


def masks_by_resource(context: Context, category: int) -> list[Array]:
    """Masks over `context.busy`, one per resource waited for (rows without one by function), largest first."""
    chosen = context.busy.category == category
    function = context.place_functions(context.busy)
    resource = context.busy.resource
    masks = [chosen & (resource == key) for key in np.unique(resource[chosen & (resource >= 0)]).tolist()]
    nameless = chosen & (resource < 0)
    masks += [nameless & (function == key) for key in np.unique(function[nameless]).tolist()]
    return _ranked(context, masks)


def _ranked(context: Context, masks: list[Array]) -> list[Array]:
    whole = context.seconds(np.ones(len(context.busy.t_ns), dtype=bool))
    sized = [(context.seconds(mask), mask) for mask in masks]
    kept = [(seconds, mask) for seconds, mask in sized if whole > 0 and seconds / whole >= SMALLEST_SHARE]
    return [mask for _, mask in sorted(kept, key=lambda pair: -pair[0])[:MOST]]


def place_of(context: Context, rows: Charges, resource: str | None = None) -> Where:
    """The function most of the rows wait in; without any stack, only the resource is known."""
    ranked = describe.functions(context.stacks, rows)
    operation = context.operations.commonest(rows)
    if not ranked:
        return Where(None, operation=operation, resource=resource)
    top = ranked[0]
    return Where(top.function, top.file, top.line, operation, resource)


def resource_name(context: Context, rows: Charges) -> str | None:
    """The resource most of the rows wait for, when it has a name."""
    return resources.resource_name(context.recording, rows)


def busy_beside(context: Context, mask: Array) -> tuple[Shared, ...]:
    """What the program's other threads did on the CPU while these rows waited: the likely other side.

    A look sees one thread at a time; all threads are looked at in one round, so rows within 2 ms belong together.
    """
    rows = context.busy
    waits = np.sort(np.unique(rows.t_ns[mask]))
    waiting_threads = set(np.unique(rows.thread[mask]).tolist())
    others = np.flatnonzero((rows.category == 0) & (rows.stack >= 0))
    if len(waits) == 0 or len(others) == 0:
        return ()
    nearest = np.clip(np.searchsorted(waits, rows.t_ns[others]), 0, len(waits) - 1)
    before = np.clip(nearest - 1, 0, len(waits) - 1)
    times = rows.t_ns[others]
    distance = np.minimum(np.abs(waits[nearest] - times), np.abs(waits[before] - times))
    chosen = others[distance < 2_000_000]
    foreign = np.array([thread not in waiting_threads for thread in rows.thread[chosen].tolist()], dtype=bool)
    picked = chosen[foreign] if foreign.any() else chosen
    keep = np.zeros(len(rows.t_ns), dtype=bool)
    keep[picked] = True
    return describe.functions(context.stacks, rows.where(keep))


def system_calls(rows: Charges) -> list[tuple[str, float]]:
    """Names of the system calls the rows were blocked in, with their shares."""
    return [
        (call_name(number), share)
        for number, share in describe.totals_by(rows.syscall.tolist(), rows.weight_ns.tolist())
    ]
