"""The statistics against tables, and against simulations whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storeprof.compare.statistics import (
    Effect,
    hodges_lehmann,
    holm,
    paired,
    quantile,
    two_sided_p,
    unpaired,
    widened,
)


@pytest.mark.parametrize(
    ("freedom", "five_percent", "one_per_mille"),
    [(1, 12.706, 636.619), (2, 4.303, 31.599), (4, 2.776, 8.610), (5, 2.571, 6.869), (30, 2.042, 3.646)],
)
def test_student_t_agrees_with_the_tables(freedom: int, five_percent: float, one_per_mille: float) -> None:
    """Quantiles are those of printed tables, and p-values their inverse."""
    assert quantile(0.05, freedom) == pytest.approx(five_percent, abs=6e-4)
    assert quantile(0.001, freedom) == pytest.approx(one_per_mille, rel=1e-4)
    assert two_sided_p(five_percent, freedom) == pytest.approx(0.05, rel=1e-3)


def test_student_t_goes_over_into_the_normal_distribution() -> None:
    """There is no step where the finite sums end."""
    assert two_sided_p(2.0, 400) == pytest.approx(two_sided_p(2.0, 401), rel=0.02)


def test_holm_by_hand() -> None:
    """With equal weights it is Holm's procedure: p times what is left, never falling."""
    assert holm([0.01, 0.04, 0.03], [1 / 3] * 3) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([], []) == []


def test_a_heavier_question_pays_less() -> None:
    """A question with most of the weight is hardly corrected, a light one is corrected more."""
    first, second = holm([0.01, 0.01], [0.8, 0.2])
    assert first == pytest.approx(0.0125)
    assert second == pytest.approx(0.0125)
    assert holm([0.5, 0.001], [0.8, 0.2])[1] == pytest.approx(0.005)


def test_holm_keeps_the_family_error_rate() -> None:
    """Twenty true "no change" questions at once give a false alarm in at most 5 % of the comparisons."""
    rng = np.random.default_rng(1)
    weights = [0.8 / 4] * 4 + [0.2 / 16] * 16
    alarms = sum(min(holm(list(rng.random(20)), weights)) < 0.05 for _ in range(2000))
    assert alarms / 2000 < 0.065


def test_hodges_lehmann_shrugs_at_an_outlier() -> None:
    """One slice that met a stall of ten times moves the estimate by under a percent."""
    logs = np.random.default_rng(2).normal(0.05, 0.03, 200)
    stalled = np.append(logs, math.log(10))
    assert hodges_lehmann(stalled) == pytest.approx(hodges_lehmann(logs), abs=0.01)
    assert hodges_lehmann(stalled) == pytest.approx(0.05, abs=0.01)


def test_pairs_hold_where_slices_of_one_pair_do_not() -> None:
    """Where processes of one program differ by 1 %, slices as the unit cry wolf; pairs as the unit do not."""
    rng = np.random.default_rng(3)
    by_slices = by_pairs = 0
    for _ in range(400):
        of_processes = rng.normal(0, 0.01, 5)
        slices = of_processes[:, None] + rng.normal(0, 0.05, (5, 200))
        of_one_pair = paired(slices[0])
        of_all = paired(np.array([hodges_lehmann(row[:60]) for row in slices]))
        assert of_one_pair is not None
        assert of_all is not None
        by_slices += of_one_pair.p < 0.05
        by_pairs += of_all.p < 0.05
    assert by_slices / 400 > 0.3
    assert by_pairs / 400 < 0.08


def test_looking_several_times_keeps_the_rate_of_false_alarms() -> None:
    """A comparison that may stop at any of four looks gives a false alarm in at most 5 % of all."""
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(2000):
        logs = rng.normal(0, 0.02, 40)
        effects = [paired(logs[:count], looks=4) for count in (5, 10, 20, 40)]
        alarms += any(effect is not None and effect.p < 0.05 for effect in effects)
    assert alarms / 2000 <= 0.05


def test_intervals_hold_the_truth() -> None:
    """The 95 % interval of five pairs holds the true change 95 times in a hundred."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(1500):
        effect = paired(rng.normal(math.log(1.05), 0.02, 5))
        assert effect is not None
        low, high = effect.interval()
        held += low <= 1.05 <= high
    assert held / 1500 == pytest.approx(0.95, abs=0.017)


def test_the_detectable_change_is_detected_as_often_as_it_says() -> None:
    """A change of just that size is found in about 80 % of the comparisons."""
    rng = np.random.default_rng(6)
    size = Effect(0.0, 0.02 / math.sqrt(10), 9, 10).detectable(0.05)
    found = 0
    for _ in range(1500):
        effect = paired(rng.normal(size, 0.02, 10))
        found += effect is not None and effect.p < 0.05
    assert 0.74 < found / 1500 < 0.9


def test_what_is_hardly_known_has_a_wide_interval() -> None:
    """An error beyond all bounds is an interval from nothing to nearly everything, not an overflow."""
    low, high = Effect(1.0, 1e6, 3, 4).interval()
    assert low < 1e-300
    assert high > 1e300


def test_exact_counts_are_exact() -> None:
    """Counts that are the same in every pair need no spread to be told apart."""
    same, more = paired(np.zeros(3)), paired(np.full(3, 0.5))
    assert same is not None
    assert more is not None
    assert (same.p, more.p < 1e-9) == (1.0, True)


def test_two_series_of_runs_are_compared_as_welch_did() -> None:
    """Unequal spreads, as many degrees of freedom as they leave; and nothing from a single run."""
    effect = unpaired(np.array([0.0, 0.1, -0.1, 0.05]), np.array([0.5, 0.5001, 0.4999]))
    assert effect is not None
    assert effect.freedom == 3
    assert effect.p < 0.01
    assert unpaired(np.array([0.0]), np.array([1.0, 1.1])) is None
    assert widened(effect, 1.0).p > 0.5
