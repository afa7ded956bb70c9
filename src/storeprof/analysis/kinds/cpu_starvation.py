"""cpu-starvation: ready to run and no CPU to run on, once throttling, theft and other programs were looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from storeprof.analysis.charges import RUN_QUEUE
from storeprof.analysis.context import Context
from storeprof.analysis.finding import BOTTLENECK, NOTICE, Finding, Impact
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.kinds import waits


def find(context: Context) -> list[Finding]:
    """One finding. When others than this program's threads took the CPUs it stays a notice: nothing here to fix."""
    mask = context.busy.category == RUN_QUEUE
    if context.share_of_busy(mask).value < waits.SMALLEST_SHARE:
        return []
    rows = context.busy.where(mask)
    throttled, stolen, others = outside_cpu_seconds(context)
    wanted = (context.cpu_seconds + context.seconds(mask)) / context.recording.duration_s
    evidence = [
        f"the program's threads wanted {wanted:.1f} CPUs on average and {context.cores} are usable",
        _outside("the cgroup's quota throttled it for", throttled),
        _outside("the hypervisor took", stolen),
        _outside("other programs used", others),
    ]
    throttling = throttled is not None and throttled > 0.1 * context.seconds(mask)
    group = waits.Group(
        mask,
        waits.place_of(context, rows),
        evidence=tuple(evidence),
        recommendation=(
            "raise the cgroup's CPU quota, or need less CPU per operation"
            if throttling
            else "fewer threads or less CPU per operation: more threads than CPUs gain nothing"
            if context.cpu_bound
            else "measure again on a quieter machine: other work took the CPUs"
        ),
        effort="design",
    )
    finding = waits.wait_finding(context, "cpu-starvation", group)
    if not throttling:
        finding = replace(finding, impact=Impact(Estimate(1.0, 1.0, 1.0)))
    return [replace(finding, needs_gain=False, at_most=BOTTLENECK if context.cpu_bound or throttling else NOTICE)]


def outside_cpu_seconds(context: Context) -> tuple[float | None, float | None, float | None]:
    """CPU seconds lost to the cgroup's quota, to the hypervisor, and used by other programs; None where unknown."""
    contention: dict[str, dict[str, Any]] = context.recording.meta.get("contention") or {}
    before, after = contention.get("before") or {}, contention.get("after") or {}

    def grown(key: str) -> float | None:
        if before.get(key) is None or after.get(key) is None:
            return None
        return float((after[key] - before[key]) / 1e9)

    busy = grown("busy_ns")
    own = (context.recording.meta.get("rusage") or {}).get("user_s")
    others = None
    if busy is not None and own is not None:
        usage = context.recording.meta["rusage"]
        others = max(0.0, busy - usage["user_s"] - usage["system_s"])
    return grown("throttled_ns"), grown("steal_ns"), others


def _outside(words: str, seconds: float | None) -> str:
    return f"{words} {seconds:.2f} CPU seconds" if seconds is not None else f"{words} an unknown CPU time"
