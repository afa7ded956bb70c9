"""How much two runs of one program differ, by kind of metric: what recordings made one after the other must allow for.

Standard deviations on the log scale (for parts of the wall time: of the whole), between ten recordings of 4 s of the
embedded engine (two threads, two shared CPUs) made within a minute; docs/decisions/0021-one-after-the-other.md. Where
a comparison has several runs a side their own spread counts, and a quarter of this for what changed in between.
"""

from __future__ import annotations

import math
from itertools import pairwise

from storeprof.compare.measured import Measured
from storeprof.compare.metrics import WALL, Key, Metric

_BY_NAME = {
    "throughput": 0.09, "run_time": 0.09, WALL: 0.09, "cpu_per_operation": 0.03, "memory_peak": 0.02,
    "memory_mean": 0.02, "memory_tag": 0.15, "latency_p50": 0.03, "latency_p95": 0.15, "latency_p99": 0.25,
    "latency_p999": 1.0, "read_bytes_per_operation": 0.05, "written_bytes_per_operation": 0.05,
    "net_bytes_per_operation": 0.05, "allocated_bytes_per_operation": 0.05, "calls_per_operation": 0.15,
    "fsyncs_per_operation": 0.15, "page_faults_per_operation": 0.3, "preemptions_per_operation": 1.0,
}  # fmt: skip
_PART, _COUNT, _OTHER = 0.1, 0.25, 0.1
# What comes to it where others took all of the CPUs, and less where they took less: nine recordings of the same engine
# beside programs that took 70 to 85 % of two CPUs differed by 0.25 in throughput, 0.14 in CPU time (caches and cores
# are shared), 0.2 in P50, and 0.3 in P95. What is counted does not depend on it.
_BESIDE_OTHERS = {
    "throughput": 0.35, "run_time": 0.35, WALL: 0.35, "cpu_per_operation": 0.2, "latency_p50": 0.28, "latency_p95": 0.4,
    "latency_p99": 1.0, "latency_p999": 1.0,
}  # fmt: skip
CROWDED = 0.1
# Work per run (not per operation) that comes and goes with the page cache and with start-up: whether the libraries of
# a program were read from the disk is no property of the program.
_PER_RUN = {
    "read_bytes_per_operation": 16e6, "written_bytes_per_operation": 256e3, "allocated_bytes_per_operation": 1e6,
    "allocations_per_operation": 1e4,
    "page_faults_per_operation": 1000.0, "major_faults_per_operation": 500.0, "context_switches_per_operation": 200.0,
    "preemptions_per_operation": 200.0, "read_ops_per_operation": 200.0, "write_ops_per_operation": 50.0,
}  # fmt: skip
ONE_SERIES_AFTER_THE_OTHER = 0.25
MEASURED_S = 4.0


def between_runs_of(metric: Metric, seconds: float = MEASURED_S, crowded: float = 0.0) -> float:
    """Standard deviation between runs of one program on one machine; shorter runs than the measured differ more.

    `crowded`: the share of the CPUs that other programs took, as far as it is a tenth or more.
    """
    usual = _BY_NAME.get(metric.name, {"part": _PART, "count": _COUNT}.get(metric.scale, _OTHER))
    beside = _BESIDE_OTHERS.get(metric.name, _BESIDE_OTHERS[WALL] if metric.scale == "part" else 0.0)
    return math.hypot(usual * math.sqrt(max(1.0, MEASURED_S / max(seconds, 0.1))), beside * crowded)


def counted_too_seldom(events: float) -> float:
    """Standard deviation of the logarithm of a rate by so many events, if these come at random (Poisson)."""
    return 1 / math.sqrt(max(events, 1.0))


def crowded_of(*sides: Measured) -> float:
    """The largest share of the CPUs that others took beside any of these; 0 where it is under a tenth, or unknown."""
    share = max(float(side.about.get("crowded") or 0.0) for side in sides)
    return share if share >= CROWDED else 0.0


def per_run_of(metric: Metric) -> float:
    """How much of a kind of work a run may do more than another of the same program, whatever its operations."""
    return _PER_RUN.get(metric.name, 0.0)


def operations_of(side: Measured) -> float:
    """Operations of one run of a side, about; 1 where the run is the operation."""
    rates = values_of(side, ("throughput", None))
    return max(1.0, sum(rates) / len(rates) * float(side.about.get("duration_s") or 1.0)) if rates else 1.0


def interleaved(baseline: Measured, candidate: Measured) -> bool:
    """Whether runs of both sides were made in turn, so that a drift of the machine meets both alike."""
    sides = [(run.started_ns, 0) for run in baseline.runs] + [(run.started_ns, 1) for run in candidate.runs]
    order = [side for _, side in sorted(sides)]
    changes = sum(first != second for first, second in pairwise(order))
    return changes >= max(3, len(order) // 3)


def values_of(side: Measured, key: Key) -> list[float]:
    """A metric's figures of the runs that know it."""
    return [run.values[key] for run in side.runs if key in run.values]
