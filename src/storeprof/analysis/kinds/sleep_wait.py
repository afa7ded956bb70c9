"""sleep-wait: sleeping inside the work (retries, polling, throttles), not in a thread's own pace."""

from __future__ import annotations

from storeprof.analysis.accounting.charges import SLEEP
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, cover_waits
from storeprof.analysis.finding import Finding
from storeprof.analysis.kinds import waits


def find(context: Context) -> list[Finding]:
    """Functions by the time they sleep."""
    findings = []
    for mask in waits.masks_by_function(context, [SLEEP]):
        where = waits.place_of(context, context.busy.where(mask))
        group = waits.Group(
            mask,
            where,
            evidence=(f"{context.amount(mask)} asleep in {where.function or 'native code'}",),
            recommendation=f"wait for the event itself instead of sleeping in {where.function or 'this code'}",
        )
        findings.append(waits.wait_finding(context, "sleep-wait", group))
    return findings


def cover(context: Context) -> Covered:
    """Whether such waits were looked at."""
    return cover_waits(context, "sleep-wait")
