"""What the kinds that are waits have in common: group by place, size, gain, lines and paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis import describe, resources
from storeprof.analysis.accounting.charges import Charges
from storeprof.analysis.context import Context
from storeprof.analysis.finding import Finding, Impact, Shared, Where
from storeprof.analysis.gain import impact
from storeprof.recording.system_calls import call_name

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
    chosen = np.flatnonzero(np.isin(context.busy.category, categories))
    return _largest(context, chosen, context.function[chosen])


def masks_by_resource(context: Context, category: int) -> list[Array]:
    """Masks over `context.busy`, one per resource waited for (rows without one by function), largest first."""
    chosen = np.flatnonzero(context.busy.category == category)
    resource = context.busy.where(chosen).resource
    functions = len(context.stacks.functions)
    return _largest(context, chosen, np.where(resource >= 0, functions + resource, context.function[chosen]))


def _largest(context: Context, chosen: Array, key: Array) -> list[Array]:
    """Masks over `context.busy` of the chosen rows (positions) with one key each, small ones left out."""
    whole = float(context.by_category.sum()) * 1e9
    ranked = describe.sums_by(key, context.busy.weight_ns[chosen])
    total = float(context.busy.weight_ns[chosen].sum(dtype=np.float64))
    masks = []
    for one, share in ranked[:MOST]:
        if whole > 0 and share * total / whole >= SMALLEST_SHARE:
            mask = np.zeros(len(context.busy), dtype=bool)
            mask[chosen[key == one]] = True
            masks.append(mask)
    return masks


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


def system_calls(rows: Charges) -> list[tuple[str, float]]:
    """Names of the system calls the rows were blocked in, with their shares."""
    return [
        (call_name(number), share) for number, share in describe.sums_by(rows.syscall, rows.weight_ns) if number >= 0
    ]
