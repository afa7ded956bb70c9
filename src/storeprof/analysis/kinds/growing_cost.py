"""growing-cost: an operation gets dearer the more of them were done (a list that is scanned, a copy that gets longer).

Per function and window of time: CPU time per operation, against operations done before (growing_functions.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.parts import split_rows
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, no_looks
from storeprof.analysis.finding import BOTTLENECK, HOTSPOT, NOTICE, Finding, Where
from storeprof.analysis.gain import impact
from storeprof.analysis.growing_functions import Grown, innermost_growth
from storeprof.analysis.growth import FEWEST_POINTS
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.operations_over_time import OperationsOverTime, operations_over_time

Array = np.ndarray[Any, Any]

KIND = "growing-cost"


def find(context: Context) -> list[Finding]:
    """At most one finding per operation: the innermost function that holds most of the growth."""
    findings = []
    for series in operations_over_time(context):
        if len(series.count) < FEWEST_POINTS:
            continue
        grown = innermost_growth(context, series)
        if grown is not None:
            findings += _finding(context, series, grown)
    return findings


def _finding(context: Context, series: OperationsOverTime, grown: Grown) -> list[Finding]:
    split, mask = split_rows(context, grown.fraction)
    share = split.share_of_busy(mask)
    busy = context.seconds(np.ones(len(context.busy.t_ns), dtype=bool))
    of_operation = _scaled(share, busy / float(series.seconds.sum()))
    settings = context.settings
    if of_operation.value < settings.hotspot_share:
        return []
    rows = context.busy.where(grown.cost.mask)
    function = context.stacks.functions[grown.cost.function]
    severity = HOTSPOT if of_operation.low >= settings.hotspot_share else NOTICE
    # A tenth of an operation that is itself a hundredth of the program's time is to be watched, not to be mended now.
    matters = share.value >= settings.hotspot_share
    return [
        Finding(
            kind=KIND,
            where=Where(function.name, function.file, function.line, series.name),
            share=share,
            share_of="wall",
            wall_share=share,
            impact=impact(split, mask),
            judged=BOTTLENECK if matters and of_operation.low >= settings.bottleneck_share else severity,
            lines=describe.lines(context.stacks, rows),
            call_paths=describe.call_paths(context.stacks, rows),
            per_operation=_per_operation(split.seconds(mask), series),
            effort="module",
            evidence=tuple(_evidence(context, series, grown, of_operation)),
            recommendation=(
                f"find what {function.name} walks or copies that gets longer with every "
                f"{series.name or 'operation'}, and index it, bound it or append to it instead"
            ),
        )
    ]


def _scaled(share: Estimate, factor: float) -> Estimate:
    return Estimate(*(min(1.0, value * factor) for value in (share.value, share.low, share.high)))


def _per_operation(seconds: float, series: OperationsOverTime) -> dict[str, Any]:
    return {"count": None, "unit": None, "seconds": float(f"{seconds / series.count.sum():.4g}")}


def _evidence(context: Context, series: OperationsOverTime, grown: Grown, part: Estimate) -> list[str]:
    done, fit = series.done, grown.growth
    name, what = context.stacks.functions[grown.cost.function].name, series.name or "operation"
    ends = fit.cost(np.array([done[0], done[-1], 10.0 * series.count.sum()])) / 1e3
    power, low, high = fit.exponent
    found = [
        f"{name} took {ends[0]:.3g} us of CPU per {what} after {done[0]:.0f} of them and {ends[1]:.3g} us after "
        f"{done[-1]:.0f}: {part.value:.0%} of the time of the run's {what}s is growth",
        f"the cost grows as {fit.order} (exponent {power:.2f}, 95 % interval {low:.2f} to {high:.2f})",
        f"after 10 times as many it would be {ends[2]:.3g} us",
    ]
    memory = _resident(context)
    return [*found, f"resident memory went from {memory[0]:.0f} to {memory[1]:.0f} MB meanwhile"] if memory else found


def _resident(context: Context) -> tuple[float, float] | None:
    start, end = context.recording.window
    rows = context.recording.sql(
        "SELECT arg_min(bytes, t_ns) AS a, arg_max(bytes, t_ns) AS b FROM memory WHERE kind = 'rss' "
        "AND t_ns BETWEEN ? AND ?",
        [start, end],
    )
    first, last = rows["a"][0], rows["b"][0]
    return None if np.ma.is_masked(first) else (float(first) / 1e6, float(last) / 1e6)


def cover(context: Context) -> Covered:
    """Checked where operations over time are known."""
    series = operations_over_time(context)
    if any(len(one.count) >= FEWEST_POINTS for one in series):
        by = "probes and CPU time" if series[0].name else "the program's ops= lines and CPU time"
        return no_looks(context, KIND) or Covered(KIND, True, by)
    why = "operations were counted too seldom" if series else "nothing counts the program's operations over time"
    remedy = (
        "put profile_operation around the operation, name it with --operation MODULE.FUNCTION, or let the program "
        f"print an `ops=N seconds=S` line every second; at least {FEWEST_POINTS} counts are needed"
    )
    return Covered(KIND, False, None, f"{why}; a function whose cost grows shows as cpu-hotspot", remedy)
