"""Means over runs and how much runs differ."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storeprof.analysis.intervals import student_t


@dataclass(frozen=True)
class Spread:
    """A figure of several runs: the values in their order (None: unknown), their mean, its 95 % interval.

    The interval is Student's t over the runs; None with fewer than two.
    """

    values: tuple[float | None, ...]
    mean: float | None
    interval: list[float] | None

    def as_document(self) -> dict[str, Any]:
        """As docs/formats/findings.md has it."""
        return {"mean": self.mean, "ci": self.interval, "runs": list(self.values)}


def between_runs(values: Sequence[float | None], most: float = math.inf) -> Spread:
    """Mean of the known values, with the interval between runs; figures here lie between zero and `most`."""
    known = [value for value in values if value is not None]
    middle = mean(known)
    if middle is None or len(known) < 2:
        return Spread(tuple(values), middle, None)
    half = student_t(len(known) - 1) * statistics.stdev(known) / len(known) ** 0.5
    return Spread(tuple(values), middle, [_rounded(max(middle - half, 0.0)), _rounded(min(middle + half, most))])


def mean(known: Sequence[float]) -> float | None:
    """Mean of known values; None of none."""
    return _rounded(statistics.fmean(known)) if known else None


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
