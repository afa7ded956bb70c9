"""Looks inside operations, as the page gets them."""

from __future__ import annotations

import numpy as np

from storeprof.views.tails import thinned


def test_some_usual_operations_stand_for_all() -> None:
    """Whole operations go or stay, their weight as a whole is what it was, and unusual ones are left alone."""
    number = np.repeat(np.arange(10_000), 3)
    usual = number % 10 != 9
    weight = np.ones(len(number))
    left = thinned(number, usual, weight, most=3000)
    assert (left[~usual] == 1).all()
    assert 2000 < (left[usual] > 0).sum() <= 3000
    assert abs(left[usual].sum() / weight[usual].sum() - 1) < 0.1
    assert (left.reshape(-1, 3).max(axis=1) == left.reshape(-1, 3).min(axis=1)).all()
    assert (thinned(number, usual, weight, most=60_000) == weight).all()
