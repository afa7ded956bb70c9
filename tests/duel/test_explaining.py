"""The change that is explained beside the change that was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compare_sides import a_side
from storeprof.compare.measured import Cost, Measured
from storeprof.duel.duel import explained_otherwise


def explained(change_s: float, ratio: float) -> tuple[dict[str, Any], Measured]:
    """A document whose recordings changed by so much from 10 us per operation on, and its baseline."""
    side = replace(a_side(1.0), costs=(Cost("cpu", "put", "engine.py", 1, None, 10e-6),))
    row = {"name": "throughput", "operation": None, "ratio": ratio}
    return {"metrics": [row], "change_per_operation_s": change_s, "unexplained_share": 0.0}, side


@pytest.mark.parametrize(
    ("change_s", "ratio", "said"), [(-6e-6, 1.25, 1), (-2.5e-6, 1.25, 0), (1e-6, 0.9, 0), (2e-6, 1.1, 1)]
)
def test_an_explanation_of_another_change_says_so(change_s: float, ratio: float, said: int) -> None:
    """Parts of -60 % are no parts of the -20 % that were proven; what is about the same needs no word."""
    assert len(explained_otherwise(*explained(change_s, ratio))) == said
