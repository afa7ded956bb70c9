"""cpu-starvation: ready to run and no CPU to run on, once throttling, theft and other programs were looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from storeprof.analysis.accounting.charges import ON_CPU, RUN_QUEUE, Charges
from storeprof.analysis.accounting.outside import outside_cpu_seconds
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, no_looks
from storeprof.analysis.finding import BOTTLENECK, NOTICE, Finding, Impact, Where
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.kinds import waits


def find(context: Context) -> list[Finding]:
    """One finding. When others than this program's threads took the CPUs it stays a notice: nothing here to fix."""
    mask = context.busy.category == RUN_QUEUE
    if context.share_of_busy(mask).value < waits.SMALLEST_SHARE:
        return []
    rows = context.busy.where(mask)
    throttled, stolen, others = outside_cpu_seconds(context.recording)
    evidence = [
        f"the program's threads wanted {context.cpus_wanted:.1f} CPUs on average and {context.cores} are usable",
        _outside("the cgroup's quota throttled it for", throttled),
        _outside("the hypervisor took", stolen),
        _outside("other programs used", others),
    ]
    if context.pushed_aside > 0:
        evidence.append("all other costs are judged by their share of what is left without these waits")
    throttling = throttled is not None and throttled > 0.1 * context.seconds(mask)
    group = waits.Group(
        mask,
        _place(context, rows),
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


def _place(context: Context, rows: Charges) -> Where:
    """Where threads stood that wanted a CPU; of native threads only what they do on one is known."""
    where = waits.place_of(context, rows)
    if where.function is not None:
        return where
    busy = context.busy
    on_cpu = np.isin(busy.category, ON_CPU) & np.isin(busy.thread, np.unique(rows.thread))
    return waits.place_of(context, busy.where(on_cpu))


def _outside(words: str, seconds: float | None) -> str:
    return f"{words} {seconds:.2f} CPU seconds" if seconds is not None else f"{words} an unknown CPU time"


def cover(context: Context) -> Covered:
    """The kernel counts it for every thread."""
    kind = "cpu-starvation"
    return no_looks(context, kind) or Covered(kind, True, "observer: schedstat, with throttling and steal")
