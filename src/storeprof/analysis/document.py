"""The findings document: the visible list of what is looked for, and their results put together."""

from __future__ import annotations

from typing import Any, Protocol

from storeprof.analysis.causes import merge_causes
from storeprof.analysis.context import Context, build_context
from storeprof.analysis.coverage import Covered, unseen_share, with_children
from storeprof.analysis.finding import Finding
from storeprof.analysis.imported.coverage import cover_imported
from storeprof.analysis.imported.recording import duration_is_known, imported
from storeprof.analysis.kinds import (
    allocation_churn,
    cache_misses,
    chatty_wakeups,
    cpu_hotspot,
    cpu_starvation,
    dependency_wait,
    gc_pressure,
    gil_contention,
    growing_cost,
    io_wait,
    lock_contention,
    memory_leak,
    network_wait,
    page_faults,
    sleep_wait,
    tail_latency,
)
from storeprof.analysis.memory_tags import memory_tags
from storeprof.analysis.metrics import metrics, top_functions, wall_time
from storeprof.analysis.named_locks import named_locks
from storeprof.analysis.overhead import overhead
from storeprof.analysis.passes import build_warnings, passes
from storeprof.analysis.probe_coverage import probe_coverage
from storeprof.analysis.settings import Settings
from storeprof.analysis.tail.causes import Tail
from storeprof.analysis.tail.document import mean_document, tail_document
from storeprof.analysis.target import target_of, with_target
from storeprof.analysis.verdict import is_long_enough, judge, rank, with_severity
from storeprof.analysis.verification import how_to_verify
from storeprof.recording.model import Recording

SCHEMA = 1
RECORD_AGAIN = "record again after the change, then storeprof compare BASELINE CANDIDATE"
RECORDED = (
    "command", "attached_pid", "engine", "workload", "threads", "seed", "started_at", "storeprof", "exit_status",
    "machine",
)  # fmt: skip


class Kind(Protocol):
    """One kind of finding: a module with a rule, and a word on whether it could be checked."""

    def find(self, context: Context) -> list[Finding]:
        """Findings of this kind, each with place, size, gain and advice."""
        ...

    def cover(self, context: Context) -> Covered:
        """Whether this kind was checked, by what, or why not."""
        ...


KINDS: dict[str, Kind] = {
    "cpu-hotspot": cpu_hotspot,
    "lock-contention": lock_contention,
    "gil-contention": gil_contention,
    "io-wait": io_wait,
    "network-wait": network_wait,
    "dependency-wait": dependency_wait,
    "sleep-wait": sleep_wait,
    "gc-pressure": gc_pressure,
    "page-faults": page_faults,
    "allocation-churn": allocation_churn,
    "chatty-wakeups": chatty_wakeups,
    "growing-cost": growing_cost,
    "cpu-starvation": cpu_starvation,
    "cache-misses": cache_misses,
    "memory-leak": memory_leak,
    "tail-latency": tail_latency,
}


def analyze(recording: Recording, settings: Settings | None = None) -> dict[str, Any]:
    """Findings document of a recording (CONTRACT, `storeprof analyze --json`).

    Raises RecordingError when a table can't be read.
    """
    return findings_document(build_context(recording, settings or Settings()))


def findings_document(context: Context) -> dict[str, Any]:
    """Findings document of a recording whose time has been accounted for."""
    recording = context.recording
    enough = is_long_enough(context)
    all_found = [finding for kind in KINDS.values() for finding in kind.find(context)]
    seen = 1.0 - unseen_share(context)
    own = 1.0 - context.pushed_aside
    judged = [with_severity(finding, context.settings, enough, seen, own) for finding in all_found]
    findings = merge_causes(rank(judged), context.settings)
    covered = _coverage(context)
    verdict = judge(context, findings, covered)
    verify = how_to_verify(recording.meta) or RECORD_AGAIN
    found = [finding.as_document(verify) for finding in findings]
    measured = metrics(context)
    target = target_of(context.settings.target_per_s, measured, found)
    return {
        "schema": SCHEMA,
        "verdict": verdict.verdict,
        "summary": with_target(verdict.verdict, verdict.summary, target),
        "recording": str(recording.folder),
        "duration_s": round(recording.duration_s, 3) if duration_is_known(recording) else None,
        "ci_level": 0.95,
        "recorded": {name: recording.meta.get(name) for name in RECORDED},
        "overhead": overhead(context),
        "metrics": measured,
        "target": target.as_document() if target else None,
        "wall_time": wall_time(context),
        "operations": _operations(context),
        "functions": top_functions(context),
        "probes": probe_coverage(context),
        "locks": named_locks(context),
        "memory_tags": memory_tags(recording),
        "findings": found,
        "imported": (imported(recording) or {}).get("files"),
        "coverage": [row.as_document() for row in covered],
        "passes": passes(recording, measured["throughput_per_s"]),
        "build_warnings": build_warnings(recording),
    }


def _coverage(context: Context) -> list[Covered]:
    if imported(context.recording):
        return cover_imported(context, list(KINDS))
    return [with_children(context, kind.cover(context)) for kind in KINDS.values()]


def _operations(context: Context) -> list[dict[str, Any]]:
    times = context.operations.wall_times(context.operation_looks.rows)
    return [_operation(context, tail, times.get(tail.operation.name, {})) for tail in context.tails]


def _operation(context: Context, tail: Tail, wall_time: dict[str, float]) -> dict[str, Any]:
    operation, seconds = tail.operation, context.operations.measured_s
    return {
        "name": operation.name,
        "count": operation.count,
        "throughput_per_s": round(operation.count / seconds, 3) if seconds > 0 else None,
        "latency_s": operation.latency.as_document(),
        "wall_time": wall_time,
        "tail": tail_document(tail),
        "mean": mean_document(tail),
    }
