"""When a duel stops, and that stopping early does not make false alarms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from storeprof.compare.judgement import Thresholds, overall
from storeprof.compare.pairs import Pair
from storeprof.duel.self_check import false_alarms
from storeprof.duel.sequential import BUDGET, INTERRUPTED, SETTLED, planned_looks, run_pairs

RATE = ("throughput", None)
P50 = ("latency_p50", "put")


class Clock:
    """A clock that a measured pair moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time now."""
        return self.now


def noisy(clock: Clock, slower: float, spread: float, seed: int, seconds: float = 2.0) -> Callable[[int], Pair]:
    """Pairs whose candidate is slower by a known share; they differ by `spread`."""
    rng = np.random.default_rng(seed)

    def pair(number: int) -> Pair:
        clock.now += seconds
        logs = {RATE: -math.log1p(slower) + rng.normal(0, spread), P50: math.log1p(slower) + rng.normal(0, spread)}
        return Pair(dict.fromkeys(logs, 1.0), {key: math.exp(value) for key, value in logs.items()}, logs)

    return pair


def test_looks_are_planned_within_what_can_be_afforded() -> None:
    """After 5, 12 and 30 pairs as far as they come before the end, and at the end."""
    assert planned_looks(78) == [5, 12, 30, 78]
    assert planned_looks(12) == [5, 12]
    assert planned_looks(1) == [2]


def test_a_large_change_is_settled_at_the_first_look() -> None:
    """10 % in pairs that differ by 1 % takes five pairs, not three minutes."""
    clock = Clock()
    found = run_pairs(noisy(clock, 0.10, 0.01, 1), Thresholds(), budget_s=180, clock=clock)
    assert (len(found.pairs), found.stopped, found.looks) == (5, SETTLED, 4)
    assert overall(found.rows) == "regressed"


def test_no_change_is_settled_too() -> None:
    """Where the whole interval lies within 5 % of no change there is nothing to wait for."""
    clock = Clock()
    found = run_pairs(noisy(clock, 0.0, 0.008, 2), Thresholds(), budget_s=180, clock=clock)
    assert (overall(found.rows), found.stopped) == ("unchanged", SETTLED)
    assert clock.now <= 24


def test_the_budget_ends_what_can_not_be_settled() -> None:
    """Pairs that differ by 30 % don't settle 2 %: the time is used, not passed, and it can't be told."""
    clock = Clock()
    found = run_pairs(noisy(clock, 0.02, 0.3, 3), Thresholds(), budget_s=60, clock=clock)
    assert (overall(found.rows), found.stopped) == ("cannot-tell", BUDGET)
    assert 56 <= clock.now <= 60


def test_two_pairs_are_made_whatever_they_take() -> None:
    """A budget that does not even pay for a pair still gives an answer with an interval."""
    clock = Clock()
    found = run_pairs(noisy(clock, 1.0, 0.01, 4, seconds=100), Thresholds(), budget_s=60, clock=clock)
    assert len(found.pairs) == 2
    assert found.looks == 1


def test_ctrl_c_keeps_the_pairs_that_were_made() -> None:
    """An interrupt after two pairs is an answer from these pairs."""
    clock = Clock()
    measured = noisy(clock, 0.10, 0.01, 5)

    def until_interrupted(number: int) -> Pair:
        if number == 3:
            raise KeyboardInterrupt
        return measured(number)

    found = run_pairs(until_interrupted, Thresholds(), budget_s=180, clock=clock)
    assert (len(found.pairs), found.stopped) == (3, INTERRUPTED)


def test_duels_of_equals_give_hardly_any_false_alarm() -> None:
    """Of 400 duels of equals that stop when settled at most 5 % see a change; of gates at most 1 %."""
    alarms = of_gates = 0
    for seed in range(400):
        clock = Clock()
        found = run_pairs(noisy(clock, 0.0, 0.02, seed), Thresholds(), budget_s=100, clock=clock)
        alarms += overall(found.rows) in ("improved", "regressed")
        clock = Clock()
        strict = run_pairs(noisy(clock, 0.0, 0.02, seed), Thresholds(alpha=0.01), budget_s=100, clock=clock)
        of_gates += overall(strict.rows) in ("improved", "regressed")
    assert alarms / 400 <= 0.05
    assert of_gates / 400 <= 0.01


def test_duels_find_a_planted_change() -> None:
    """Of 100 duels with 5 % planted in pairs that differ by 1.5 %, 95 or more find it within the default budget."""
    found = 0
    for seed in range(100):
        clock = Clock()
        rows = run_pairs(noisy(clock, 0.05, 0.015, seed), Thresholds(), budget_s=180, clock=clock).rows
        found += overall(rows) == "regressed"
    assert found >= 95


def test_the_self_check_counts_false_alarms() -> None:
    """Pairs of equals give few; too few pairs give no rate at all."""
    clock = Clock()
    measured = noisy(clock, 0.0, 0.01, 6)
    pairs = [measured(number) for number in range(30)]
    rate = false_alarms(pairs, Thresholds())
    assert rate is not None
    assert rate < 0.05
    assert false_alarms(pairs[:4], Thresholds()) is None
