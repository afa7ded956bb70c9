"""The findings document: the visible list of what is looked for, and their results put together."""

from __future__ import annotations

from typing import Any, Protocol

from storeprof.analysis.context import Context, Settings, build_context
from storeprof.analysis.coverage import Covered, not_yet
from storeprof.analysis.finding import Finding
from storeprof.analysis.kinds import (
    cpu_hotspot,
    cpu_starvation,
    dependency_wait,
    gil_contention,
    io_wait,
    lock_contention,
    network_wait,
    sleep_wait,
    tail_latency,
)
from storeprof.analysis.metrics import metrics, overhead, top_functions, wall_time
from storeprof.analysis.tail_causes import Tail
from storeprof.analysis.tail_document import mean_document, tail_document
from storeprof.analysis.verdict import is_long_enough, judge, rank, with_severity
from storeprof.recording.model import Recording

SCHEMA = 1


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
    "cpu-starvation": cpu_starvation,
    "tail-latency": tail_latency,
}


def analyze(recording: Recording, settings: Settings | None = None) -> dict[str, Any]:
    """Findings document of a recording (CONTRACT, `storeprof analyze --json`).

    Raises RecordingError when a table can't be read.
    """
    context = build_context(recording, settings or Settings())
    enough = is_long_enough(context)
    found = [finding for kind in KINDS.values() for finding in kind.find(context)]
    findings = rank([with_severity(finding, context.settings, enough) for finding in found])
    covered = [kind.cover(context) for kind in KINDS.values()] + not_yet(set(KINDS))
    verdict = judge(context, findings, covered)
    return {
        "schema": SCHEMA,
        "verdict": verdict.verdict,
        "summary": verdict.summary,
        "recording": str(recording.folder),
        "duration_s": round(recording.duration_s, 3),
        "ci_level": 0.95,
        "overhead": overhead(context),
        "metrics": metrics(context),
        "wall_time": wall_time(context.busy),
        "operations": [_operation(context, tail) for tail in context.tails],
        "functions": top_functions(context),
        "findings": [finding.as_document() for finding in findings],
        "coverage": [row.as_document() for row in covered],
    }


def _operation(context: Context, tail: Tail) -> dict[str, Any]:
    operation, seconds = tail.operation, context.operations.measured_s
    return {
        "name": operation.name,
        "count": operation.count,
        "throughput_per_s": round(operation.count / seconds, 3) if seconds > 0 else None,
        "latency_s": operation.latency.as_document(),
        "wall_time": context.operations.wall_time(operation.name, context.operation_looks.rows),
        "tail": tail_document(tail),
        "mean": mean_document(tail),
    }
