"""From the slices of two processes to one pair."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from storeprof.collect.slice_worker import Slice
from storeprof.duel.slice_pairs import Side, pair_of
from storeprof.report.self_check import print_self_check

PUT_P50, PUT_P99 = ("latency_p50", "put"), ("latency_p99", "put")


def side(slower: float, slices: int = 40, operations: int = 50, seed: int = 1) -> Side:
    """Slices that take half as long again in the middle, as on a shared machine; each operation slower by a share."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(slices):
        drift = 1.5 if 10 <= number < 30 else 1.0
        took = rng.normal(1000, 20, operations) * drift * (1 + slower)
        made.append(Slice(operations, float(took.sum()) / 1e9, float(took.sum()) / 2e9, {"put": took}, {"fsyncs": 5.0}))
    return Side(made, {"written_bytes": 4096.0 * slices}, 1e6)


def test_drift_that_meets_both_sides_is_no_effect() -> None:
    """Half a minute of a slower machine leaves the ratio of slices as it is."""
    pair = pair_of(side(0.0), side(0.05, seed=2))
    assert pair.logs["throughput", None] == pytest.approx(-math.log(1.05), abs=0.005)
    assert pair.logs["cpu_per_operation", None] == pytest.approx(math.log(1.05), abs=0.005)
    assert pair.logs[PUT_P50] == pytest.approx(math.log(1.05), abs=0.005)
    assert pair.logs["throughput", "put"] == pair.logs["throughput", None]


def test_work_is_per_operation() -> None:
    """What the kernel counted and what the worker stated are divided by the operations."""
    pair = pair_of(side(0.0), side(0.0))
    assert pair.baseline["written_bytes_per_operation", None] == pytest.approx(4096 / 50)
    assert pair.candidate["fsyncs_per_operation", None] == 0.1
    assert pair.baseline["memory_peak", None] == 1e6


def test_a_percentile_needs_operations_beyond_it() -> None:
    """P99 of groups of a thousand operations, or none at all."""
    assert PUT_P99 not in pair_of(side(0.0), side(0.0)).logs
    many = pair_of(side(0.0, operations=200), side(0.1, operations=200, seed=3))
    assert many.logs[PUT_P99] == pytest.approx(math.log(1.1), abs=0.02)


def test_the_self_check_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """False alarms and the smallest changes, or that there were too few pairs."""
    row = {
        "name": "throughput", "operation": None, "primary": True, "spread_of_pairs": 0.015,
        "minimum_detectable": {"5": 1.05, "10": 1.02, "20": 1.01},
    }  # fmt: skip
    document = {
        "pairs": 30, "seconds": 60.0, "mode": "slices", "metrics": [row],
        "false_alarms": {"any_metric": 0.006, "any_metric_of_a_gate": 0.001, "pairs_per_duel": 5, "duels_drawn": 1000},
    }  # fmt: skip
    print_self_check(document, sys.stdout)
    print_self_check({**document, "false_alarms": {**document["false_alarms"], "any_metric": None}}, sys.stdout)
    shown = capsys.readouterr().out
    assert "false alarms on any metric: 0.6% of duels of 5 pairs" in shown
    assert "too few pairs" in shown
    assert "5.0%" in shown
