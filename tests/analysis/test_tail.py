"""The band method on synthetic operations whose causes are known, and what it says when there is too little data."""

from __future__ import annotations

import numpy as np
import pytest
from tail_simulation import COMPONENTS, operations, recorded, truth

from storeprof.analysis.intervals import Blocks
from storeprof.analysis.operations import Histogram
from storeprof.analysis.tail.budget import OperationTime, TailBudget, TooThin, mean_shares, tail_budget

RECORDINGS = 200


def budgets(cause: str, recordings: int) -> list[TailBudget]:
    """Budgets of so many recordings of operations with one planted cause."""
    found = [tail_budget(*recorded(np.random.default_rng(seed), cause)) for seed in range(recordings)]
    assert all(isinstance(one, TailBudget) for one in found)
    return [one for one in found if isinstance(one, TailBudget)]


@pytest.mark.parametrize("cause", ["fsync", "lock", "collection", "run_queue"])
def test_the_planted_cause_is_named_first(cause: str) -> None:
    """In each recording the planted cause is the largest part, and all parts add up to the gap."""
    for budget in budgets(cause, 20):
        shares = np.array([one.value for one in budget.share])
        assert COMPONENTS[int(shares.argmax())] == cause
        assert shares.sum() == pytest.approx(1.0)


def test_intervals_cover_the_truth_and_two_causes_keep_their_sizes() -> None:
    """Of 200 recordings about 95 in 100 intervals hold the true share, component by component; the mean is right."""
    true = truth("fsync and lock")
    found = budgets("fsync and lock", RECORDINGS)
    value = np.array([[one.value for one in budget.share] for budget in found])
    low = np.array([[one.low for one in budget.share] for budget in found])
    high = np.array([[one.high for one in budget.share] for budget in found])
    covered = ((low <= true) & (true <= high)).mean(axis=0)
    assert covered.min() >= 0.92, dict(zip(COMPONENTS, covered, strict=True))
    assert np.abs(value.mean(axis=0) - true).max() < 0.02


def test_the_mean_is_divided_by_all_looks() -> None:
    """Shares of the mean are those of the time of all operations, within sampling error."""
    spent = operations(np.random.default_rng(7), 500_000, "fsync")
    true = spent.sum(axis=0) / spent.sum()
    _, time, blocks = recorded(np.random.default_rng(3), "fsync")
    for share, expected in zip(mean_shares(time, blocks), true, strict=True):
        assert share.value == pytest.approx(expected, abs=0.05)


def test_without_the_cause_p99_is_that_of_the_rest() -> None:
    """The speedup of a cause that makes up the whole gap is P99 over P50; of one that has no part it is 1."""
    budget = budgets("lock", 1)[0]
    by_name = dict(zip(COMPONENTS, budget.speedup, strict=True))
    assert by_name["lock"].value > 10
    assert by_name["lock"].high <= budget.p99_s / budget.p50_s + 1e-9
    assert by_name["steady"].value < 1.05


def thin(operations: int, looks: int) -> TailBudget | TooThin:
    """Operations of 1 ms, every fiftieth of 100 ms, looked at so often."""
    long_ones = operations // 50
    latency = Histogram(
        np.array([0.001, 0.1]), np.array([0.00106, 0.106]), np.array([operations - long_ones, long_ones]), 0.106
    )
    time = OperationTime(
        t_ns=np.arange(looks) * 5_000_000,
        weight_ns=np.full(looks, 5e6),
        component=np.zeros(looks, dtype=np.int64),
        components=1,
        duration_s=np.full(looks, 0.1),
        number=np.arange(looks),
    )
    return tail_budget(latency, time, Blocks((0, 8_000_000_000)))


def test_too_few_operations_have_no_tail() -> None:
    """P99 of 500 operations is not known, and the reason says how many would do."""
    found = thin(operations=500, looks=100)
    assert isinstance(found, TooThin)
    assert "1,000 operations" in found.reason
    assert "2.0 times as long" in found.remedy


def test_too_few_looks_in_the_tail_have_no_causes() -> None:
    """Five operations around P99 that were looked at name no cause; what would be enough is said."""
    found = thin(operations=5000, looks=5)
    assert isinstance(found, TooThin)
    assert "5 of the operations around P99" in found.reason
    assert "3.0 times as long" in found.remedy


def test_operations_that_all_agree_still_have_an_interval() -> None:
    """Twenty looks at one cause do not prove that it is the only one."""
    found = thin(operations=5000, looks=20)
    assert isinstance(found, TailBudget)
    assert found.share[0].value == pytest.approx(1.0)
    assert found.share[0].low < 0.95
