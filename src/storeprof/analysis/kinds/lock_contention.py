"""lock-contention: waiting for a mutex, a rwlock or a plain Python lock, one finding per lock."""

from __future__ import annotations

from storeprof.analysis.accounting.beside import other_side
from storeprof.analysis.accounting.charges import LOCK, Charges
from storeprof.analysis.accounting.spinning import spins
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, cover_waits
from storeprof.analysis.finding import Finding
from storeprof.analysis.kinds import waits


def find(context: Context) -> list[Finding]:
    """Locks by the time threads wait for them."""
    findings = []
    for mask in waits.masks_by_resource(context, LOCK):
        rows = context.busy.where(mask)
        name = waits.resource_name(context, rows)
        named = name if name and not name.startswith("lock at ") else None
        where = waits.place_of(context, rows, named)
        holders = other_side(context, mask)
        beside = f"; meanwhile {holders[0].function} was running" if holders else ""
        place = where.function or "native code"
        group = waits.Group(
            mask,
            where,
            holders,
            evidence=(f"{context.amount(mask)} of {_how(context, rows)} for {name or 'a lock'} in {place}{beside}",),
            recommendation=(
                f"hold the lock taken in {place} for less time: move work out of the locked region, or split the lock"
            ),
            effort="module",
        )
        findings.append(waits.wait_finding(context, "lock-contention", group))
    return findings


def _how(context: Context, rows: Charges) -> str:
    """How threads wait: asleep, or by giving the CPU away again and again, which costs CPU time."""
    spun = float(rows.weight_ns[spins(rows, context.stacks)].sum())
    return "spinning (sched_yield)" if spun > 0.5 * float(rows.weight_ns.sum()) else "waiting"


def cover(context: Context) -> Covered:
    """Whether such waits were looked at."""
    return cover_waits(context, "lock-contention")
