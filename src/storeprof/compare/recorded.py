"""From a recording to one run of a comparison: figures per operation, work counted, and costs by place."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CATEGORIES, GIL, RUN_QUEUE
from storeprof.analysis.accounting.outside import crowded_share
from storeprof.analysis.context import Context, build_context
from storeprof.analysis.counted import why_not_counted
from storeprof.analysis.operations import slice_window
from storeprof.analysis.settings import Settings
from storeprof.analysis.throughput import throughput
from storeprof.compare.measured import Cost, Measured, Run, mean_costs
from storeprof.compare.metrics import CALLS, PERCENTILES, TAG, WALL, WALL_PART, WORK, Key, work_key
from storeprof.recording.model import Recording

Document = dict[str, Any]
MOST_SCOPES = 20
MOST_COSTS = 200
_ABOUT = ("command", "attached_pid", "engine", "workload", "threads", "seed", "storeprof", "started_at", "exit_status")
_ASKED = {"--operation": "operations_asked", "--instrument": "instrument_asked"}
_WITHOUT_PLACE = (RUN_QUEUE, GIL)  # where a thread waits for these says nothing about why


def measure(name: str, recordings: list[tuple[Recording, Document]]) -> Measured:
    """One side from its recordings with their findings documents; at least one."""
    parts = [_measure_one(recording, document) for recording, document in recordings]
    worth = [row for _, document in recordings for row in document["findings"] if row["severity"] != "notice"]
    largest: dict[str, Document] = {}
    for row in worth:
        seen = largest.get(row["id"])
        if seen is None or row["impact"]["speedup_if_fixed"] > seen["impact"]["speedup_if_fixed"]:
            largest[row["id"]] = {key: row[key] for key in ("id", "kind", "severity", "where", "share", "impact")}
    return Measured(
        name=name,
        about=_about(recordings),
        runs=tuple(run for run, _ in parts),
        costs=mean_costs([costs for _, costs in parts])[:MOST_COSTS],
        findings=tuple(largest.values()),
    )


def _about(recordings: list[tuple[Recording, Document]]) -> Document:
    meta = recordings[0][0].meta
    python = recordings[0][0].sql("SELECT DISTINCT python FROM processes WHERE python IS NOT NULL ORDER BY 1")["python"]
    return {
        **{key: meta.get(key) for key in _ABOUT},
        "machine": meta["machine"],
        "python": [str(version) for version in python],
        "collectors": sorted(row["name"] for row in meta.get("collectors") or [] if row["ran"]),
        "duration_s": round(sum(recording.duration_s for recording, _ in recordings) / len(recordings), 3),
        "settings": {name: [row["name"] for row in meta[key]] for name, key in _ASKED.items() if meta.get(key)}
        | {"overhead budget": meta.get("overhead_budget_percent")},
        "build_warnings": [row["what"] for row in meta["build_warnings"]] if "build_warnings" in meta else None,
        "crowded": max((share for recording, _ in recordings if (share := crowded_share(recording))), default=None),
        "not_counted": next((why for recording, _ in recordings if (why := why_not_counted(recording))), None),
        "exit_statuses": [recording.meta.get("exit_status") for recording, _ in recordings],
    }


def _measure_one(recording: Recording, document: Document) -> tuple[Run, list[Cost]]:
    context = build_context(recording, Settings())
    metrics = document["metrics"]
    rate, done = metrics["throughput_per_s"], throughput(context).count
    own_end = recording.meta.get("ended_by") == "exit" and not recording.meta.get("engine")
    whole = rate is None and own_end
    marked = own_end and recording.meta.get("window") is not None  # a test: its work is given, whatever it counts
    count = float(done) if done else 1.0 if whole else None
    values: dict[Key, float | None] = {
        ("throughput", None): rate,
        ("run_time", None): recording.duration_s if whole or marked else None,
        ("memory_peak", None): metrics["rss_peak_bytes"],
        ("memory_mean", None): metrics["rss_mean_bytes"],
        **_latencies(document),
        **_tags(recording),
    }
    costs: list[Cost] = []
    if count:
        cpu = metrics["cpu_percent"]
        values["cpu_per_operation", None] = None if cpu is None else cpu / 100 * recording.duration_s / count
        values[WALL, None] = float(context.by_category.sum()) / count
        values |= {
            (WALL_PART + name, None): float(seconds) / count
            for name, seconds in zip(CATEGORIES, context.by_category, strict=True)
        }
        values |= {work_key(what): amount / count for what, amount in _work(recording, metrics).items()}
        values |= _calls(recording, document)
        costs = _costs(context, count)
    known = {key: float(value) for key, value in values.items() if value is not None}
    kinds = _operations(recording, document, done)
    return Run(known, recording.meta["started_ns"], recording.meta["ended_ns"], kinds), costs


def _operations(recording: Recording, document: Document, done: int | None) -> dict[str | None, float]:
    """Operations by kind. Of a window that states none the probes know parts alone: they are read once a second."""
    stated = (recording.meta.get("driven") or {}).get("operations")
    if stated:
        return {**stated, None: sum(stated.values())}
    kinds: dict[str | None, float] = {row["name"]: row["count"] for row in document["operations"]}
    whole = done if recording.meta.get("window") is None else sum(kinds.values())
    return {**kinds, None: whole} if kinds and whole else {}


def _latencies(document: Document) -> dict[Key, float | None]:
    rows = {row["name"]: row["latency_s"] for row in document["operations"]}
    every: dict[str | None, Document] = {**rows} if rows else {None: document["metrics"]["latency_s"]}
    found: dict[Key, float | None] = {
        (f"latency_{q}", name): latency.get(q) for name, latency in every.items() for q in PERCENTILES
    }
    return found | {("throughput", row["name"]): row["throughput_per_s"] for row in document["operations"]}


def _work(recording: Recording, metrics: Document) -> dict[str, float]:
    """Work that was counted, over the window; what nobody counted is left out."""
    start, end = recording.window
    work = {name: float(metrics[name]) for name in WORK if metrics.get(name) is not None}
    rows = recording.sql(
        """
        SELECT count(*) AS n, sum(voluntary_switches) AS context_switches, sum(involuntary_switches) AS preemptions,
               sum(minflt) AS page_faults, sum(majflt) AS major_faults
        FROM thread_time WHERE t1_ns > ? AND t0_ns < ?
        """,
        [start, end],
    )
    if rows["n"][0]:
        names = ("context_switches", "preemptions", "page_faults", "major_faults")
        work |= {name: float(rows[name][0]) for name in names if not np.ma.is_masked(rows[name][0])}
    allocated = recording.sql(
        "SELECT count(*) AS n, sum(weight_bytes) AS bytes, sum(weight_bytes / greatest(bytes, 1)) AS calls "
        "FROM allocations WHERE t_ns >= ? AND t_ns <= ?",
        [start, end],
    )
    if allocated["n"][0]:
        work |= {"allocated_bytes": float(allocated["bytes"][0]), "allocations": float(allocated["calls"][0])}
    return work


def _calls(recording: Recording, document: Document) -> dict[Key, float]:
    """How often each probed scope ran per operation, the operations themselves left out; without probes none.

    Counted over the same slices of time as the operations are: the slice that the window begins in is in neither.
    """
    start, end = slice_window(recording)
    operations = {row["name"]: row["count"] for row in document["operations"]}
    every = sum(operations.values())
    rows = recording.sql(
        """
        SELECT n.name AS name, sum(s.count) AS calls FROM scope_slices s JOIN scope_nodes n USING (node)
        WHERE s.t1_ns > ? AND s.t1_ns <= ? GROUP BY 1 HAVING calls > 0 ORDER BY 2 DESC, 1 LIMIT ?
        """,
        [start, end + 1_500_000_000, MOST_SCOPES],
    )
    calls = zip(rows["name"].tolist(), rows["calls"].tolist(), strict=True)
    return {(CALLS, name): float(count) / every for name, count in calls if every and name not in operations}


def _tags(recording: Recording) -> dict[Key, float | None]:
    start, end = recording.window
    rows = recording.sql(
        """
        SELECT tag, max(live) AS peak FROM (
            SELECT tag, t_ns, sum(live_bytes) AS live FROM memory_tags WHERE t_ns >= ? AND t_ns <= ? GROUP BY 1, 2
        ) GROUP BY 1 HAVING peak > 0 ORDER BY 1
        """,
        [start, end + 1_500_000_000],
    )
    return {(TAG, tag): float(peak) for tag, peak in zip(rows["tag"].tolist(), rows["peak"].tolist(), strict=True)}


def _costs(context: Context, count: float) -> list[Cost]:
    """Busy wall per operation by reason, function and resource. They add up to all of it."""
    busy = context.busy
    function = np.where(np.isin(busy.category, _WITHOUT_PLACE), -1, context.function)
    names = _resource_names(context.recording)
    key = np.stack([busy.category.astype(np.int64), function.astype(np.int64), busy.resource.astype(np.int64)])
    unique, inverse = np.unique(key, axis=1, return_inverse=True)
    sums = np.bincount(inverse.ravel(), weights=busy.weight_ns, minlength=unique.shape[1]) / 1e9 / count
    costs = []
    for (category, place, resource), seconds in zip(unique.T.tolist(), sums.tolist(), strict=True):
        at = context.stacks.functions[place] if place >= 0 else None
        costs.append(
            Cost(
                CATEGORIES[category],
                at.name if at else None,
                at.file if at else None,
                at.line if at else None,
                names.get(resource) if place >= 0 else None,
                seconds,
            )
        )
    return list(mean_costs([costs]))


def _resource_names(recording: Recording) -> dict[int, str]:
    """Files by their last part with numbers blotted out: each run has files of its own. Locks have addresses: none."""
    rows = recording.sql("SELECT resource_id, name FROM resources WHERE name LIKE '/%'")
    return {
        number: re.sub(r"\d+", "#", name.rsplit("/", 1)[-1])
        for number, name in zip(rows["resource_id"].tolist(), rows["name"].tolist(), strict=True)
    }
