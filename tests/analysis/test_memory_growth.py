"""The three-way rule of leaks on traces and lifetimes of known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storeprof.analysis.memory.growth import LEAK, MORE_TIME, NO_LEAK, Lifetimes, judge_lifetimes, judge_trace

Array = np.ndarray[Any, Any]
FLOOR = 0.1e6 / 60
MB = 1e6
RUNS = 40


def times(seconds: float) -> Array:
    """Twice a second, as the observer looks."""
    return np.arange(0.0, seconds, 0.5)


def noise(count: int, random: np.random.Generator) -> Array:
    """Pages that come and go."""
    return np.asarray(np.abs(random.normal(0, 0.05 * MB, count)))


def verdicts(shape: str, seconds: float) -> list[str]:
    """Verdicts on runs whose memory has this shape."""
    found = []
    for run in range(RUNS):
        random = np.random.default_rng(run)
        t = times(seconds)
        grown = {
            "flat": 0 * t,
            "warm-up": 40 * MB * (1 - np.exp(-t / (seconds / 8))),
            "sawtooth": 20 * MB * (t / (seconds / 12) % 1),
            "steps in the first half": 8 * MB * (t > 0.1 * seconds) + 5 * MB * (t > 0.4 * seconds),
            "a cache that is full at half time": np.minimum(30 * MB, 60 * MB * t / seconds),
            "leak": 1 * MB * t,
            "leak under a sawtooth": 1 * MB * t + 4 * MB * (t / (seconds / 15) % 1),
        }[shape]
        found.append(judge_trace(t, 100 * MB + grown + noise(len(t), random), FLOOR).verdict)
    return found


@pytest.mark.parametrize("seconds", [20, 60, 600])
@pytest.mark.parametrize(
    "shape", ["flat", "warm-up", "sawtooth", "steps in the first half", "a cache that is full at half time"]
)
def test_memory_that_stops_growing_is_no_leak(shape: str, seconds: float) -> None:
    """No false alarm on what is flat, warms up, is flushed again and again, or is full."""
    assert verdicts(shape, seconds).count(LEAK) == 0


@pytest.mark.parametrize("seconds", [8, 20, 60, 600])
def test_steady_growth_is_a_leak_with_its_rate(seconds: float) -> None:
    """A megabyte a second is found in all but a few runs, and its rate is right within a tenth."""
    assert verdicts("leak", seconds).count(LEAK) >= 0.9 * RUNS
    t = times(seconds)
    rate = judge_trace(t, 1 * MB * t, FLOOR).rate
    assert rate.low <= 1 * MB <= rate.high * 1.001
    assert rate.value == pytest.approx(1 * MB, rel=0.1)


def test_a_sawtooth_does_not_hide_a_leak() -> None:
    """Troughs that rise are seen below a sawtooth four times as high as the growth of its period."""
    assert verdicts("leak under a sawtooth", 60).count(NO_LEAK) <= 0.1 * RUNS


def lifetimes(kept_for: str) -> Lifetimes:
    """A sample each 10 ms over 20 s, which lives for ever, for a while, or until the cache is full."""
    born = np.arange(0.0, 20.0, 0.01)
    died = {
        "for ever": np.full(len(born), np.inf),
        "half a second": born + 0.5,
        "the latest 500": born + 5.0,
        "until the end of the start": np.where(born < 2, np.inf, born + 0.01),
    }[kept_for]
    return Lifetimes(born, died, np.full(len(born), 1e5))


@pytest.mark.parametrize("kept_for", ["half a second", "the latest 500", "until the end of the start"])
def test_what_old_age_does_not_survive_is_no_leak(kept_for: str) -> None:
    """Buffers, a ring of the latest objects, and what was loaded once are not leaks."""
    assert judge_lifetimes(lifetimes(kept_for), 0.0, 20.0, FLOOR).verdict == NO_LEAK


def test_what_survives_from_early_as_from_late_is_a_leak() -> None:
    """All of it stays: the rate is what was allocated."""
    growth = judge_lifetimes(lifetimes("for ever"), 0.0, 20.0, FLOOR)
    assert growth.verdict == LEAK
    assert growth.rate.value == pytest.approx(1e7, rel=0.05)


def test_a_few_looks_need_more_time() -> None:
    """Below six blocks of growth nothing is decided."""
    t = times(2)
    assert judge_trace(t, 1 * MB * t, FLOOR).verdict == MORE_TIME
