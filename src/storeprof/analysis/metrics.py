"""Metrics of the whole run; null where unknown, never a made-up zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CATEGORIES, CPU
from storeprof.analysis.context import Context
from storeprof.analysis.counted import counted_calls
from storeprof.analysis.describe import by_stack
from storeprof.analysis.imported.recording import (
    callers_are_known,
    duration_is_known,
    imported,
    time_is_known,
    waits_from_symbols,
)
from storeprof.analysis.operations import merged_latency
from storeprof.analysis.processes import not_observed_cpu_s, summed_memory
from storeprof.analysis.throughput import throughput
from storeprof.recording.model import Recording

NO_LATENCY = {"p50": None, "p95": None, "p99": None, "p999": None, "max": None}


def wall_time(context: Context) -> dict[str, float]:
    """Shares of busy wall by category; they add up to one (all zero when nothing was busy)."""
    sums = context.by_category
    total = float(sums.sum())
    shares = {
        key: round(float(value) / total, 6) if total else 0.0 for key, value in zip(CATEGORIES, sums, strict=True)
    }
    if total:
        largest = max(shares, key=lambda key: shares[key])
        shares[largest] = round(shares[largest] + 1.0 - sum(shares.values()), 6)
    return shares


def metrics(context: Context) -> dict[str, Any]:
    """The `metrics` of the findings document."""
    recording = context.recording
    rate = throughput(context)
    latency = merged_latency(context.operations.operations)
    cpu = float(context.totals.run_ns.sum()) / 1e9
    known = time_is_known(recording) and duration_is_known(recording) and not waits_from_symbols(recording)
    if recording.meta.get("window") is None:  # when it was used is not known
        cpu += not_observed_cpu_s(recording)
    seconds = recording.duration_s
    return {
        "throughput_per_s": None if rate.per_s is None else round(rate.per_s, 3),
        "throughput_ci": rate.as_list(),
        "latency_s": latency.as_document() if latency else dict(NO_LATENCY),
        "cpu_percent": round(100.0 * cpu / seconds, 2)
        if seconds > 0 and len(context.totals.run_ns) and known
        else None,
        **_memory(recording),
        "read_bytes": _grown(recording, "read"),
        "written_bytes": _grown(recording, "written"),
        "read_ops": None,
        "write_ops": None,
        **{name: (counted_calls(recording) or {}).get(name) for name in ("fsyncs", "system_calls")},
        "net_calls": None,
        "net_bytes": None,
    }


def _memory(recording: Recording) -> dict[str, int | None]:
    """Resident memory of all processes together: the highest sum, and the mean over time."""
    times, total = summed_memory(recording, "rss")
    if len(times) == 0 and imported(recording):
        return {"rss_peak_bytes": _stated_peak(recording), "rss_mean_bytes": None}
    if len(times) == 0:
        return {"rss_peak_bytes": None, "rss_mean_bytes": None}
    weights = np.diff(times) if len(times) > 1 else np.ones(1)
    mean = np.average(total[: len(weights)], weights=weights)
    return {"rss_peak_bytes": int(total.max()), "rss_mean_bytes": int(mean)}


def _stated_peak(recording: Recording) -> int | None:
    """The highest memory that a file states: resident where it does, else the footprint (macOS)."""
    for kinds in (("rss_peak", "resident"), ("footprint_peak", "footprint")):
        rows = recording.sql("SELECT max(bytes) AS most FROM memory WHERE kind IN (?, ?)", list(kinds))
        if not np.ma.is_masked(rows["most"][0]):
            return int(rows["most"][0])
    return None


def _grown(recording: Recording, kind: str) -> int | None:
    """Growth of a cumulative counter over the window, from the last value before it where there is one."""
    start, end = recording.window
    rows = recording.sql(
        """
        SELECT sum(last - first) AS grown FROM (
            SELECT proc_id, max(bytes) AS last, coalesce(max(bytes) FILTER (t_ns <= $1), min(bytes)) AS first
            FROM memory WHERE kind = $3 AND t_ns <= $2 GROUP BY proc_id
        )
        """,
        [start, end, kind],
    )
    value = rows["grown"][0]
    return None if np.ma.is_masked(value) else int(value)


def top_functions(context: Context, most: int = 20) -> list[dict[str, Any]]:
    """The top of the CPU profile by self time, healthy or not.

    Shares of CPU time; that of garbage collection is in nobody's.
    """
    stacks, weights = by_stack(context.busy.where(context.busy.category == CPU))
    total = context.cpu_seconds * 1e9
    own: dict[int, float] = {}
    whole: dict[int, float] = {}
    places = context.stacks.place_functions(stacks)
    for stack, place, weight in zip(stacks.tolist(), places.tolist(), weights.tolist(), strict=True):
        if place < 0:
            continue
        own[place] = own.get(place, 0.0) + weight
        for function in context.stacks.function_set(stack):
            whole[function] = whole.get(function, 0.0) + weight
    ranked = sorted(own, key=lambda key: -own[key])[:most]
    callers = callers_are_known(context.recording)
    return [_function_row(context, key, own[key] / total, whole[key] / total if callers else None) for key in ranked]


def _function_row(context: Context, key: int, own: float, whole: float | None) -> dict[str, Any]:
    function = context.stacks.functions[key]
    return {
        "function": function.name,
        "file": function.file,
        "line": function.line,
        "self_cpu_share": round(own, 4),
        "total_cpu_share": None if whole is None else round(whole, 4),
    }
