"""How much two runs of one program differ, by kind of metric: what recordings made one after the other must allow for.

Standard deviations on the log scale (for parts of the wall time: of the whole), between ten recordings of 4 s of the
embedded engine (two threads, two shared CPUs) made within a minute; docs/decisions/0021-one-after-the-other.md. Where
a comparison has several runs a side their own spread counts, and a quarter of this for what changed in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from storeprof.compare.measured import Measured
from storeprof.compare.metrics import WALL, Key, Metric

_BY_NAME = {
    "throughput": 0.09, "run_time": 0.09, WALL: 0.09, "cpu_per_operation": 0.03, "memory_peak": 0.02,
    "memory_mean": 0.02, "memory_tag": 0.15, "latency_p50": 0.03, "latency_p95": 0.15, "latency_p99": 0.25,
    "latency_p999": 1.0, "read_bytes_per_operation": 0.05, "written_bytes_per_operation": 0.05,
    "net_bytes_per_operation": 0.05, "allocated_bytes_per_operation": 0.05, "calls_per_operation": 0.05,
    "fsyncs_per_operation": 0.15, "page_faults_per_operation": 0.3, "preemptions_per_operation": 1.0,
}  # fmt: skip
_PART, _COUNT, _OTHER = 0.1, 0.25, 0.1
ONE_SERIES_AFTER_THE_OTHER = 0.25


def between_runs_of(metric: Metric) -> float:
    """Standard deviation between runs of one program on one machine."""
    if metric.name in _BY_NAME:
        return _BY_NAME[metric.name]
    return {"part": _PART, "count": _COUNT}.get(metric.scale, _OTHER)


def interleaved(baseline: Measured, candidate: Measured) -> bool:
    """Whether runs of both sides were made in turn, so that a drift of the machine meets both alike."""
    sides = [(run.started_ns, 0) for run in baseline.runs] + [(run.started_ns, 1) for run in candidate.runs]
    order = [side for _, side in sorted(sides)]
    changes = sum(first != second for first, second in pairwise(order))
    return changes >= max(3, len(order) // 3)


def values_of(side: Measured, key: Key) -> list[float]:
    """A metric's figures of the runs that know it."""
    return [run.values[key] for run in side.runs if key in run.values]


def within_runs(sides: Sequence[Measured], key: Key) -> float:
    """Standard error that the runs state of themselves, the larger of the sides; 0 where they state none."""
    return max((run.errors.get(key, 0.0) for side in sides for run in side.runs), default=0.0)
