"""Intervals hold the truth about as often as they say, on programs whose truth is known by construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storeprof.analysis.intervals import BLOCK_NS, Blocks, half_width, rate_of, share_of, student_t

Array = np.ndarray[Any, Any]
RUNS = 400
STEP_MS = 5
PER_BLOCK = 50


def phases(generator: np.random.Generator, seconds: float, on_ms: float, off_ms: float, runs: int = RUNS) -> Array:
    """What looks every 5 ms see of threads that alternate between two places for exponential times: (runs, steps)."""
    steps = int(seconds * 1000 / STEP_MS)
    leave = np.where(np.arange(2) == 1, STEP_MS / on_ms, STEP_MS / off_ms)  # chance of leaving, off and on
    state = generator.random(runs) < on_ms / (on_ms + off_ms)
    seen = np.empty((runs, steps), dtype=bool)
    for step in range(steps):
        seen[:, step] = state
        state = state ^ (generator.random(runs) < leave[state.astype(int)])
    return seen


def by_block(seen: Array) -> Array:
    """Looks per block of 250 ms."""
    count: Array = seen.reshape(len(seen), -1, PER_BLOCK).sum(axis=2).astype(float)
    return count


def covered(parts: Array, wholes: Array, truth: float) -> float:
    """Percentage of the runs whose interval holds the truth."""
    estimates = [share_of(part, whole) for part, whole in zip(parts, wholes, strict=True)]
    return 100 * float(np.mean([one.low <= truth <= one.high for one in estimates]))


@pytest.mark.parametrize(
    ("seconds", "on_ms", "off_ms"),
    [
        (8, 10, 20), (8, 30, 70), (8, 90, 210), (8, 180, 420), (8, 20, 980),
        (20, 10, 20), (20, 30, 70), (20, 180, 420), (20, 300, 700), (20, 20, 980), (20, 200, 1800), (20, 450, 50),
    ],
)  # fmt: skip
def test_the_interval_of_a_share_holds_the_truth_95_times_in_100(seconds: float, on_ms: float, off_ms: float) -> None:
    """Phases of 10 ms to a second and shares of 2 to 90 %, in runs of 8 and 20 s: between 92 and 98 of 100."""
    seen = by_block(phases(np.random.default_rng(3), seconds, on_ms, off_ms))
    assert 92 <= covered(seen, np.full_like(seen, PER_BLOCK), on_ms / (on_ms + off_ms)) <= 98


def test_it_holds_where_the_denominator_changes_too() -> None:
    """Two threads that are idle part of the time: the share is one of what was busy."""
    generator = np.random.default_rng(4)
    parts, wholes = np.zeros((RUNS, 32)), np.zeros((RUNS, 32))
    for _ in range(2):
        busy = phases(generator, 8, 150, 350)
        parts += by_block(phases(generator, 8, 30, 70) & busy)
        wholes += by_block(busy)
    assert 92 <= covered(parts, wholes, 0.3) <= 98


def test_periodic_work_is_never_covered_less() -> None:
    """Where phases alternate more evenly than by chance the interval is wider than it had to be, not narrower."""
    generator = np.random.default_rng(5)
    step = np.arange(1600)
    seen = (step[None, :] + generator.integers(0, 200, (RUNS, 1))) % 200 < 40  # 200 ms of each second
    parts = by_block(seen)
    assert covered(parts, np.full_like(parts, PER_BLOCK), 0.2) >= 95


def test_the_interval_of_a_rate_holds_the_truth_95_times_in_100() -> None:
    """Operations per second from one-second slices whose speed drifts; the interval is that of the long-run rate."""
    generator = np.random.default_rng(6)
    held = 0
    for _ in range(RUNS):
        slow = by_block(phases(generator, 20, 300, 700, runs=1))[0].reshape(20, 4).sum(axis=1) / 200
        counts = generator.poisson(1000 * (1 - 0.5 * slow))
        found = rate_of(counts.astype(float), np.ones(20))
        assert found is not None
        held += found.low <= 850 <= found.high
    assert 92 <= 100 * held / RUNS <= 98


def test_a_rate_from_few_slices_has_no_interval() -> None:
    """Eight slices are the least; without an event there is no rate to speak of."""
    assert rate_of(np.full(7, 10.0), np.ones(7)) is None
    assert rate_of(np.zeros(20), np.ones(20)) is None


def test_a_share_of_nothing_is_zero() -> None:
    """Without any time there is no share, and no division by zero; a share of all is one."""
    blocks = Blocks((0, 10 * BLOCK_NS))
    assert blocks.share(np.zeros(10), np.zeros(10)).value == 0.0
    assert blocks.share(np.ones(10), np.ones(10)).low == 1.0


def test_one_block_says_nothing() -> None:
    """The interval of a share that a single block tells of is everything from 0 to 1."""
    found = share_of(np.array([3.0]), np.array([10.0]))
    assert (found.low, found.value, found.high) == (0.0, 0.3, 1.0)


def test_a_constant_has_no_width() -> None:
    """Residuals of zero make an interval of zero."""
    assert half_width(np.zeros(10)) == 0.0


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (9, 2.262), (31, 2.040)])
def test_students_t(freedom: int, quantile: float) -> None:
    """97.5 % quantiles as the tables have them."""
    assert student_t(freedom) == pytest.approx(quantile, abs=0.005)


def test_a_run_of_a_second_is_too_short_for_an_interval() -> None:
    """Eight blocks of 250 ms are the least."""
    assert not Blocks((0, 1_000_000_000)).enough
    assert Blocks((0, 2_000_000_000)).enough


def test_a_long_run_has_longer_blocks() -> None:
    """No more than about four hundred blocks, however long the run."""
    assert Blocks((0, 20 * 1_000_000_000)).count == 80
    assert 400 <= Blocks((0, 3600 * 1_000_000_000)).count <= 401
