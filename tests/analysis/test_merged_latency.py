"""Latencies of all operations together, where cheap ones are timed more seldom."""

from __future__ import annotations

import numpy as np
import pytest

from storeprof.analysis.operations import Histogram, Operation, merged_latency


def operation(name: str, done: int, timed: int, seconds: float) -> Operation:
    """All of one length, of which some were timed."""
    latency = Histogram(np.array([seconds]), np.array([seconds * 1.01]), np.array([float(timed)]), seconds)
    return Operation(name, (1,), done, done * seconds, latency)


def test_each_operation_counts_as_often_as_it_was_done() -> None:
    """95 % of the operations are writes, of which one in 150 was timed: P50 and P90 are theirs, and P99 is a read's."""
    both = merged_latency((operation("read", 200_000, 200_000, 1e-3), operation("write", 3_800_000, 25_000, 1e-6)))
    assert both is not None
    assert both.quantile(0.5) == pytest.approx(1e-6, rel=0.02)
    assert both.quantile(0.9) == pytest.approx(1e-6, rel=0.02)
    assert both.quantile(0.99) == pytest.approx(1e-3, rel=0.02)


def test_what_few_timed_ones_stand_for_supports_no_more_percentiles() -> None:
    """A million operations of which 20 were timed have a P50 and no P99; without any timed there is nothing."""
    few = merged_latency((operation("write", 1_000_000, 20, 1e-6),))
    assert few is not None
    assert few.quantile(0.5) is not None
    assert few.quantile(0.99) is None
    assert merged_latency(()) is None
