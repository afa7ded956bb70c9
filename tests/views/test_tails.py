"""Looks inside operations, as the page gets them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from storeprof.analysis.operations import Histogram
from storeprof.views.bins import Bins
from storeprof.views.tails import operation_tails, thinned


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


def test_an_operation_that_ended_after_the_window_has_no_tail() -> None:
    """Looks inside it know its length, and no latency of its name was counted: there is nothing to divide."""
    none = np.zeros(0)
    looks = SimpleNamespace(duration_s=np.array([1.0]))
    tail = SimpleNamespace(
        operation=SimpleNamespace(name="put", latency=Histogram(none, none, none, None)), looks=looks
    )
    context = SimpleNamespace(tails=(tail,), operations=SimpleNamespace(names=("get", "put")))
    table, parts = operation_tails(cast(Any, context), Bins(0, 1, 1), [[1.0, 2.0]])
    assert len(table["weight"]) == 0
    assert [part["operation"] for part in parts] == [0]
