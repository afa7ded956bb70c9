"""The change that is explained beside the change that was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compare_sides import a_side
from storeprof.compare.explanation import explain
from storeprof.compare.measured import Cost, Measured
from storeprof.duel.duel import explained_otherwise


def explained(change_s: float, ratio: float) -> tuple[dict[str, Any], Measured, Measured]:
    """A document whose recordings changed by so much from 10 us per operation on, and both sides."""
    row = {"name": "throughput", "operation": None, "ratio": ratio, "verdict": "improved" if ratio > 1 else "regressed"}
    before, now = (
        replace(a_side(1.0), costs=(Cost("cpu", "put", "engine.py", 1, None, seconds),))
        for seconds in (10e-6, 10e-6 + change_s)
    )
    return {"metrics": [row], "unexplained_share": 0.0}, before, now


@pytest.mark.parametrize(
    ("change_s", "ratio", "said"), [(-6e-6, 1.25, 1), (-2.5e-6, 1.25, 0), (1e-6, 0.9, 0), (2e-6, 1.1, 1)]
)
def test_an_explanation_of_another_change_says_so(change_s: float, ratio: float, said: int) -> None:
    """Parts of -60 % are no parts of the -20 % that were proven; what is about the same needs no word."""
    assert len(explained_otherwise(*explained(change_s, ratio))) == said


def test_parts_and_rest_make_up_the_change_that_the_pairs_proved() -> None:
    """Of 4 us that a function costs more in the recordings the pairs saw 2.5 as the whole: the rest is negative."""
    _, before, now = explained(4e-6, 0.8)
    found = explain(before, now, measured=0.25)
    assert found is not None
    assert found.change_s == pytest.approx(2.5e-6)
    assert sum(row["share_of_change"] for row in found.rows) + (found.unexplained_share or 0) == pytest.approx(1)
    assert found.unexplained_share == pytest.approx(-0.6)
