"""What the kinds that are waits have in common: group by place, size, gain, lines and paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.charges import Charges
from storeprof.analysis.context import Context
from storeprof.analysis.finding import Finding, Impact, Shared, Where
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
    gain: Impact | None = None


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
        impact=group.gain or impact(context, group.mask),
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
    ranked = describe.totals_by(rows.resource.tolist(), rows.weight_ns.tolist())
    if not ranked or ranked[0][0] < 0:
        return None
    found = context.recording.sql("SELECT name FROM resources WHERE resource_id = ?", [int(ranked[0][0])])["name"]
    return str(found[0]) if len(found) else None


def system_calls(rows: Charges) -> list[tuple[str, float]]:
    """Names of the system calls the rows were blocked in, with their shares."""
    return [
        (call_name(number), share)
        for number, share in describe.totals_by(rows.syscall.tolist(), rows.weight_ns.tolist())
    ]
