"""Waits for a CPU belong to the operations that took long by them."""

from __future__ import annotations

import numpy as np
import pytest

from storeprof.analysis.accounting.charges import CPU, RUN_QUEUE, Charges
from storeprof.analysis.accounting.looks import Looks
from storeprof.analysis.accounting.queueing import queueing_in_long
from storeprof.analysis.accounting.sightings import sightings
from storeprof.analysis.operations import Histogram, Operation, OperationTree
from storeprof.analysis.tail.operation_looks import OperationLooks

MS = 1e6
LATENCY = Histogram(np.array([0.001, 0.01]), np.array([0.0011, 0.011]), np.array([980.0, 20.0]), 0.011)
TREE = OperationTree((Operation("put", (1,), 1000, 1.2, LATENCY),), {1: "put"}, 10.0)


def looks(*moments: tuple[float, float, float]) -> OperationLooks:
    """Moments of one thread: length of the operation in s, ms on the CPU, ms in the run queue."""
    length = np.repeat([one[0] for one in moments], 2)
    weight = np.array([part * MS for one in moments for part in one[1:]])
    number = np.arange(len(moments))
    zero = np.zeros(len(moments), dtype=np.int64)
    seen_looks = Looks(
        thread_ids=zero[:1], thread=zero, t_ns=number, weight_ns=zero, reason_code=zero, stack=zero - 1,
        resource=zero - 1, holder=zero - 1, node=zero + 1, op_seq=number + 1, quality_code=zero, syscall=zero - 2,
        gc=zero > 0, faults=zero,
    )  # fmt: skip
    seen = sightings(seen_looks, zero[:0], zero[:0], zero[:0], start_ns=0)
    row = np.repeat(number, 2)
    rows = Charges(seen, row, np.tile([CPU, RUN_QUEUE], len(moments)), weight, row < 0)
    return OperationLooks(("put",), rows, row * 0, length, row * 0, row)


def spent(found: OperationLooks, category: int, long: bool) -> float:
    """ms of a category in long or ordinary operations."""
    mask = (found.rows.category == category) & ((found.duration_s > 0.005) == long)
    return float(found.rows.weight_ns[mask].sum()) / MS


def test_queueing_moves_to_operations_that_are_longer_than_usual() -> None:
    """A long operation that the totals gave CPU time gets the waits of the ordinary ones; sums stay."""
    before = looks((0.001, 4.0, 1.0), (0.001, 4.0, 1.0), (0.0105, 4.0, 1.0))
    after = queueing_in_long(before, TREE)
    assert spent(after, RUN_QUEUE, True) == pytest.approx(3.0)
    assert spent(after, RUN_QUEUE, False) == pytest.approx(0.0)
    for category in (CPU, RUN_QUEUE):
        whole = spent(before, category, True) + spent(before, category, False)
        assert spent(after, category, True) + spent(after, category, False) == pytest.approx(whole)


def test_a_long_operation_keeps_the_cpu_time_of_an_ordinary_one() -> None:
    """Only what is over the usual length can have been waiting."""
    after = queueing_in_long(looks((0.001, 50.0, 50.0), (0.0105, 4.0, 0.0)), TREE)
    usual = LATENCY.quantile(0.5)
    assert usual is not None
    assert spent(after, CPU, True) == pytest.approx(4.0 * usual / 0.0105)


def test_without_queueing_nothing_changes() -> None:
    """Large requests stay CPU time where nobody waited for a CPU."""
    after = queueing_in_long(looks((0.001, 5.0, 0.0), (0.0105, 5.0, 0.0)), TREE)
    assert spent(after, CPU, True) == pytest.approx(5.0)
    assert spent(after, RUN_QUEUE, True) == 0.0
