"""dependency-wait: waiting for another thread's or process's work (queues, conditions, results, pipes)."""

from __future__ import annotations

from storeprof.analysis.charges import DEPENDENCY
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, cover_waits
from storeprof.analysis.finding import Finding
from storeprof.analysis.kinds import waits


def find(context: Context) -> list[Finding]:
    """Functions by the time they wait for others; what the others do meanwhile is named."""
    findings = []
    for mask in waits.masks_by_function(context, [DEPENDENCY]):
        rows = context.busy.where(mask)
        where = waits.place_of(context, rows, waits.resource_name(context, rows))
        holders = waits.busy_beside(context, mask)
        other = holders[0].function if holders else None
        group = waits.Group(
            mask,
            where,
            holders,
            evidence=(
                f"{context.seconds(mask):.2f} s of waiting for others in {where.function or 'native code'}"
                + (f", while {other} was running" if other else ""),
            ),
            recommendation=(
                f"speed up {other}, which {where.function} waits for, or let more than one thread do it"
                if other
                else f"find out what {where.function or 'this thread'} waits for: no other thread of the program ran"
            ),
            effort="module",
        )
        findings.append(waits.wait_finding(context, "dependency-wait", group))
    return findings


def cover(context: Context) -> Covered:
    """Whether such waits were looked at."""
    return cover_waits(context, "dependency-wait")
