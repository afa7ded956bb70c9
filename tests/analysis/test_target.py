"""What is said of a target: met, missed, how far the fix would get, or that nobody can tell."""

from __future__ import annotations

import argparse

import pytest

from storeprof.analysis.target import NOTHING_NEEDED, Target, target_of, with_target
from storeprof.cli.arguments import per_second

NOTHING = NOTHING_NEEDED + "no single cost reaches 10% of the program's time (the largest has 7%)"


def test_met_without_a_bottleneck_is_acceptable() -> None:
    """The target is met, performance is acceptable, and nothing needs optimization."""
    said = with_target("no-bottleneck", NOTHING, Target(1000, 1200))
    assert "target of 1,000/s is met (1,200/s) and performance is acceptable" in said
    assert "no optimization is needed" in said


def test_missed_without_a_single_cost_says_exactly_that() -> None:
    """Never "no optimization needed" while somebody waits for more."""
    said = with_target("no-bottleneck", NOTHING, Target(1000, 800))
    assert "is missed (800/s)" in said
    assert "no single cost reaches 10%" in said
    assert "needed" not in said


@pytest.mark.parametrize(
    ("reach", "words"), [(1200, "at most 1,200/s, enough"), (900, "at most 900/s, not enough alone")]
)
def test_missed_with_a_bottleneck_says_how_far_the_fix_gets(reach: float, words: str) -> None:
    """The throughput with the first bottleneck gone, and whether that is enough."""
    assert words in with_target("bottleneck", "sync is slow", Target(1000, 800, None, reach))


def test_met_with_a_bottleneck_still_names_it() -> None:
    """A target that is met does not hide a bottleneck, and does not make it acceptable."""
    said = with_target("bottleneck", "sync is slow", Target(1000, 1200, None, 2000))
    assert said.endswith("sync is slow")
    assert "acceptable" not in said


def test_without_operations_nobody_can_tell() -> None:
    """Unknown throughput is null, and the summary says how to make it known."""
    target = Target(1000, None)
    assert target.as_document() == {"per_s": 1000, "met": None, "surely": None, "reach_per_s": None}
    assert "`ops=N seconds=S`" in with_target("no-bottleneck", NOTHING, target)


def test_a_target_inside_the_interval_is_not_surely_met() -> None:
    """Where the noise of the run could have decided, the summary says so."""
    assert Target(1000, 1010, (950, 1070)).surely is False
    assert "within the noise" in with_target("no-bottleneck", NOTHING, Target(1000, 1010, (950, 1070)))
    assert Target(1000, 1200, (1100, 1300)).surely is True
    assert Target(1000, 800, (700, 900)).surely is True


def test_only_a_gain_of_throughput_reaches_further() -> None:
    """A bottleneck of latency says nothing of operations per second."""
    metrics = {"throughput_per_s": 800.0, "throughput_ci": None}
    impact = {"speedup_if_fixed": 1.5, "basis": "throughput"}
    found = target_of(1000, metrics, [{"severity": "bottleneck", "impact": impact}])
    assert found is not None
    assert found.reach_per_s == 1200
    found = target_of(1000, metrics, [{"severity": "bottleneck", "impact": {**impact, "basis": "latency"}}])
    assert found is not None
    assert found.reach_per_s is None


@pytest.mark.parametrize(
    ("text", "rate"), [("10000/s", 1e4), ("10k/s", 1e4), ("10000", 1e4), ("2.5M/s", 2.5e6), ("1_000", 1e3)]
)
def test_rates_are_read(text: str, rate: float) -> None:
    """With or without `/s`, with k or M."""
    assert per_second(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "0", "-5", "10/min", "k/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """With one line that shows a rate."""
    with pytest.raises(argparse.ArgumentTypeError, match="10k/s"):
        per_second(text)
