"""memory-leak: memory that grows steadily to the end, and the function whose allocations stay.

Resident memory detects, the surviving samples of the allocation hook blame; where both are known they must agree, since
a cache that fills looks like a leak to either one alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, collector_row
from storeprof.analysis.finding import BOTTLENECK, NOTHING, NOTICE, Finding, Impact, Where
from storeprof.analysis.imported.leaks import leaks_of_files
from storeprof.analysis.imported.recording import imported
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.memory.growth import (
    LEAK,
    MORE_TIME,
    NO_LEAK,
    START_UP,
    TOO_FEW,
    Growth,
    judge_lifetimes,
    judge_trace,
)

Array = np.ndarray[Any, Any]

# What matters: docs/decisions/0006-leaks-in-short-runs.md has the reasons.
SMALLEST_BYTES = 2e6
SMALLEST_OF_RSS = 0.02
SMALLEST_RATE = 0.1e6 / 60
SHORTEST_S = 6.0
RSS_ALONE_S = 30.0
EXPLAINED = 0.3
HOOK = "allocation hook"


@dataclass(frozen=True)
class Trace:
    """Resident memory of the largest process: seconds since the window's start, bytes."""

    t_s: Array
    bytes: Array


@dataclass(frozen=True)
class Evidence:
    """What both views say: of resident memory, and of each function's surviving allocations (largest first)."""

    trace: Trace
    end_s: float
    resident: Growth
    sites: list[tuple[int, Growth]]

    @property
    def span_s(self) -> float:
        """Length of what was judged: the start-up third is left out."""
        return self.end_s * (1 - START_UP)

    @property
    def site_rate(self) -> float:
        """Bytes a second that stay, of all sites together."""
        return sum(growth.rate.value for _, growth in self.sites)


def find(context: Context) -> list[Finding]:
    """At most one leak by allocations (its largest place), or by tags or resident memory alone."""
    if imported(context.recording):
        return leaks_of_files(context)
    seen = _evidence(context)
    if seen is None:
        return []
    verdict = _verdict(context, seen)
    if verdict == NO_LEAK or not _is_material(seen):
        return []
    return [_finding(context, seen, verdict)]


def _evidence(context: Context) -> Evidence | None:
    trace = _resident(context)
    end = context.recording.duration_s
    if end < SHORTEST_S or len(trace.t_s) == 0:
        return None
    rows = context.allocations
    end = rows.teardown(end) if len(rows) else _last_high(trace, end)
    trace = Trace(trace.t_s[trace.t_s <= end], trace.bytes[trace.t_s <= end])
    floor = max(SMALLEST_RATE, 0.25 * SMALLEST_BYTES / end)
    places = np.unique(rows.place[(rows.died > end) & (rows.place >= 0)]).tolist()
    sites = [(place, judge_lifetimes(rows.lifetimes(place), 0.0, end, floor)) for place in places]
    growing = [site for site in sites if site[1].verdict != NO_LEAK]
    ranked = sorted(growing, key=lambda site: -site[1].rate.value)
    return Evidence(trace, end, judge_trace(trace.t_s, trace.bytes, floor), ranked)


def _resident(context: Context) -> Trace:
    start, end = context.recording.window
    rows = context.recording.sql(
        "SELECT t_ns, bytes FROM memory WHERE kind = 'rss' AND t_ns BETWEEN $1 AND $2 AND proc_id = (SELECT proc_id "
        "FROM memory WHERE kind = 'rss' AND t_ns BETWEEN $1 AND $2 GROUP BY proc_id ORDER BY max(bytes) DESC LIMIT 1) "
        "ORDER BY t_ns",
        [start, end],
    )
    return Trace((np.asarray(rows["t_ns"], dtype=np.int64) - start) / 1e9, np.asarray(rows["bytes"], dtype=np.float64))


def _last_high(trace: Trace, end_s: float) -> float:
    """The end without the program's taking itself down."""
    late = trace.t_s >= 0.8 * end_s
    high = np.flatnonzero(trace.bytes >= 0.7 * trace.bytes[late].max(initial=0.0))
    return float(trace.t_s[high[-1]]) if len(high) else end_s


def _verdict(context: Context, seen: Evidence) -> str:
    """Leak only when both views that exist say so; more time when one does and the other does not deny it."""
    resident = seen.resident
    if not len(context.allocations):
        long_enough = context.recording.duration_s >= RSS_ALONE_S
        return resident.verdict if resident.verdict != LEAK or long_enough else MORE_TIME
    if resident.verdict == NO_LEAK:
        return NO_LEAK
    if seen.site_rate < EXPLAINED * resident.rate.value:
        return MORE_TIME
    blamed = seen.sites[0][1].verdict
    if resident.verdict == LEAK:
        return LEAK if blamed in (LEAK, TOO_FEW) else MORE_TIME
    return LEAK if blamed == LEAK and resident.steadiness >= 0.5 else MORE_TIME


def _is_material(seen: Evidence) -> bool:
    grown = _rate(seen).value * seen.span_s
    before = float(np.median(seen.trace.bytes[:3]))
    return grown >= max(SMALLEST_BYTES, SMALLEST_OF_RSS * before) and _rate(seen).value >= SMALLEST_RATE


def _rate(seen: Evidence) -> Estimate:
    """Resident memory is measured, allocations are sampled: its slope where allocations confirm it, else theirs."""
    resident, sampled = seen.resident.rate, seen.site_rate
    if not seen.sites or resident.low <= 0:
        return resident
    spread = sum((one.rate.high - one.rate.value) ** 2 for _, one in seen.sites) ** 0.5
    agree = sampled - spread <= 1.15 * resident.value and sampled + spread >= 0.85 * resident.value
    return resident if agree else Estimate(sampled, max(0.0, sampled - spread), sampled + spread)


def _finding(context: Context, seen: Evidence, verdict: str) -> Finding:
    rate = _rate(seen)
    base = Finding(
        kind="memory-leak",
        where=Where(None),
        share=None,
        share_of="wall",
        wall_share=NOTHING,
        impact=Impact(Estimate(1.0, 1.0, 1.0), "headroom", "growth"),
        needs_gain=False,
        judged=BOTTLENECK if verdict == LEAK else NOTICE,
        rate=rate,
        effort="module",
        evidence=(_growth_line(seen, rate), *_limit_line(context, seen, rate)),
        recommendation=_REMEDY_WITHOUT_PLACE if verdict == LEAK else _longer(context),
        verify="record again after the change, twice as long: rss_peak_bytes stays as it is",
    )
    return _placed(context, seen, base, verdict) if seen.sites else base


_REMEDY_WITHOUT_PLACE = "let storeprof start the program (record -- COMMAND): its sampled allocations name the place"


def _longer(context: Context) -> str:
    wanted = max(RSS_ALONE_S, 3 * context.recording.duration_s)
    return f"can't tell a leak from memory that is still filling: record for {wanted:.0f} s or longer"


def _placed(context: Context, seen: Evidence, base: Finding, verdict: str) -> Finding:
    place, growth = seen.sites[0]
    function = context.stacks.functions[place]
    rows = context.allocations
    mine = rows.where((rows.place == place) & (rows.born >= 0) & (rows.born <= seen.end_s))
    kept = mine.where(mine.died > seen.end_s)
    part = growth.rate.value / max(seen.site_rate, 1e-9)
    stayed = float(kept.weight_bytes.sum()) / max(float(mine.weight_bytes.sum()), 1.0)
    lines = [
        f"{growth.rate.value / 1e6:.2f} MB/s of what {function.name} allocates stays alive: {part:.0%} of the growth "
        f"that allocations explain, {stayed:.0%} of the bytes it allocates ({len(kept)} surviving samples)"
    ]
    others = [
        f"{context.stacks.functions[other].name} {one.rate.value / 1e6:.2f} MB/s" for other, one in seen.sites[1:4]
    ]
    lines += [f"beside it grows {', '.join(others)}"] if others else []
    advice = (
        f"find what keeps the objects that {function.name} allocates, and bound it: evict by bytes, drop on flush, or "
        "release when the request is done"
    )
    return replace(
        base,
        where=Where(function.name, function.file, function.line),
        lines=describe.lines(context.stacks, kept),
        call_paths=describe.call_paths(context.stacks, kept),
        evidence=(*base.evidence, *lines),
        recommendation=advice if verdict == LEAK else f"{_longer(context)}; most of it is allocated in {function.name}",
    )


def _growth_line(seen: Evidence, rate: Estimate) -> str:
    """Grown by how much, from what to what, how steadily."""
    kept = seen.trace.t_s >= seen.end_s * START_UP
    first, last = seen.trace.bytes[kept][[0, -1]] / 1e6
    steadiness = seen.resident.steadiness
    how = "to the end" if steadiness >= 0.7 else f"and slows down (second half {steadiness:.0%} of the first)"
    return (
        f"memory grew by {rate.value * seen.span_s / 1e6:.1f} MB in {seen.span_s:.1f} s {how}: resident "
        f"{first:.1f} to {last:.1f} MB after start-up"
    )


def _limit_line(context: Context, seen: Evidence, rate: Estimate) -> tuple[str, ...]:
    total = context.recording.meta["machine"].get("memory_bytes")
    if not total or rate.value <= 0:
        return ()
    left_s = (float(total) - float(seen.trace.bytes[-1])) / rate.value
    return (f"at that rate the machine's {total / 2**30:.0f} GiB are full after {_duration(left_s)}",)


def _duration(seconds: float) -> str:
    hours = seconds / 3600
    if hours < 1:
        return f"{seconds / 60:.0f} minutes"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def cover(context: Context) -> Covered:
    """Checked on resident memory from some seconds on; with the hook also by place."""
    seconds = context.recording.duration_s
    if seconds < SHORTEST_S or not len(_resident(context).t_s):
        reason = f"{seconds:.1f} s are too short to see growth"
        detector = _detector(context)
        return Covered("memory-leak", detector is not None, detector, reason, "record for 10 s or longer")
    if len(context.allocations):
        return Covered("memory-leak", True, "resident memory and sampled allocations")
    row = collector_row(context, HOOK) or {}
    reason = f"a leak would have no place: {row.get('reason') or 'the allocation hook took no sample'}"
    return Covered("memory-leak", True, "resident memory", reason, row.get("remedy"))


def _detector(context: Context) -> str | None:
    """The tool whose pass listed what is never freed; None when there was none."""
    passes = context.recording.meta.get("passes") or []
    ran = [row["collector"] for row in passes if row["ran"] and "leaks" in row["collects"]]
    return f"{' and '.join(ran)}, in a pass of its own" if ran else None
