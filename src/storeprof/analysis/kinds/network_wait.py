"""network-wait: blocked on a socket inside the work."""

from __future__ import annotations

from storeprof.analysis.accounting.charges import NETWORK
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, cover_waits
from storeprof.analysis.finding import Finding
from storeprof.analysis.kinds import waits


def find(context: Context) -> list[Finding]:
    """Functions by the time they wait for the network."""
    findings = []
    for mask in waits.masks_by_function(context, [NETWORK]):
        rows = context.busy.where(mask)
        where = waits.place_of(context, rows, waits.resource_name(context, rows))
        group = waits.Group(
            mask,
            where,
            evidence=(f"{context.amount(mask)} blocked on the network in {where.function or 'native code'}",),
            recommendation=f"let {where.function or 'the program'} ask less often, or for more at once",
            effort="module",
        )
        findings.append(waits.wait_finding(context, "network-wait", group))
    return findings


def cover(context: Context) -> Covered:
    """Whether such waits were looked at."""
    return cover_waits(context, "network-wait")
