"""From effects to verdicts: improved, regressed, unchanged within N %, or can't tell and what could have been seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storeprof.compare.metrics import Metric
from storeprof.compare.statistics import Effect, holm, ratio_of

IMPROVED, REGRESSED, UNCHANGED, CANNOT_TELL = "improved", "regressed", "unchanged", "cannot-tell"
PRIMARY_SHARE = 0.8
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a change counts: adjusted p below `alpha` and a size of at least `least`.

    It is unchanged when its whole interval lies within `within` of none. Sizes are shares (0.01 is 1 %).
    """

    alpha: float = 0.05
    least: float = 0.01
    within: float = 0.05


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with its data: both sides' figures and the effect, None where it can't be told.

    For `ratio` metrics the effect is the log of candidate over baseline; for the others it is the difference over
    `scale`.
    """

    metric: Metric
    baseline: float | None
    candidate: float | None
    effect: Effect | None
    scale: float | None = None


def judged(questions: Sequence[Asked], thresholds: Thresholds) -> list[Row]:
    """A row of the comparison document per question, corrected for asking all of them (Holm)."""
    with_effect = [(one.metric, one.effect) for one in questions if one.effect is not None]
    weights = _weights([metric for metric, _ in with_effect])
    adjusted = iter(zip(holm([effect.p for _, effect in with_effect], weights), weights, strict=True))
    return [_row(one, next(adjusted) if one.effect else (None, 0.0), thresholds) for one in questions]


def _weights(metrics: Sequence[Metric]) -> list[float]:
    """Shares of alpha: primary metrics have most of it, so that asking about all the rest costs them little."""
    primary = sum(metric.primary for metric in metrics)
    rest = len(metrics) - primary
    of_primary = PRIMARY_SHARE if primary and rest else float(primary > 0)
    return [of_primary / primary if metric.primary else (1 - of_primary) / rest for metric in metrics]


def _row(asked: Asked, corrected: tuple[float | None, float], thresholds: Thresholds) -> Row:
    """One row; `corrected` is the adjusted p-value and the question's share of alpha."""
    p, weight = corrected
    metric, effect = asked.metric, asked.effect
    row: Row = {
        "name": metric.name,
        "operation": metric.operation,
        "unit": metric.unit,
        "baseline": _rounded(asked.baseline),
        "candidate": _rounded(asked.candidate),
        "ratio": None,
        "ci": None,
        "p_adjusted": None,
        "verdict": CANNOT_TELL,
        "minimum_detectable": None,
        "within": None,
        "better": metric.better,
        "primary": metric.primary,
    }
    if effect is None or p is None:
        return row
    low, high = effect.bounds()
    smallest = max(effect.detectable(thresholds.alpha * weight), math.log1p(thresholds.least))
    row["p_adjusted"] = float(f"{p:.3g}")
    row["ratio"] = _rounded(_as_ratio(asked, effect.log))
    if row["ratio"] is not None:
        row["ci"] = [_rounded(_as_ratio(asked, low)), _rounded(_as_ratio(asked, high))]
        detectable = _as_ratio(asked, smallest)
        row["minimum_detectable"] = _rounded(detectable if detectable and math.isfinite(detectable) else None)
    furthest = max(abs(_size(asked, low)), abs(_size(asked, high)))
    row["within"] = _rounded(furthest) if math.isfinite(furthest) else None
    if p < thresholds.alpha and abs(_size(asked, effect.log)) >= thresholds.least:
        row["verdict"] = IMPROVED if (effect.log < 0) == (metric.better == "lower") else REGRESSED
    elif furthest <= thresholds.within:
        row["verdict"] = UNCHANGED
    return row


def _as_ratio(asked: Asked, value: float) -> float | None:
    """An effect as candidate over baseline; None where the baseline is zero."""
    if asked.metric.scale == "ratio":
        return ratio_of(value)
    if not asked.baseline or asked.scale is None:
        return None
    return max(0.0, 1.0 + value * asked.scale / asked.baseline)


def _size(asked: Asked, value: float) -> float:
    """An effect as a share: of the baseline for ratios, of the scale for the others."""
    return ratio_of(value) - 1.0 if asked.metric.scale == "ratio" else value


def overall(rows: Sequence[Row]) -> str:
    """One verdict: regressed when anything is, else improved when anything is.

    Else unchanged, when every primary metric that both sides know is, and there is one; else it can't be told.
    """
    found = {row["verdict"] for row in rows}
    if REGRESSED in found:
        return REGRESSED
    if IMPROVED in found:
        return IMPROVED
    primary = [row["verdict"] for row in rows if row["primary"] and row["p_adjusted"] is not None]
    return UNCHANGED if primary and set(primary) == {UNCHANGED} else CANNOT_TELL


def is_settled(rows: Sequence[Row]) -> bool:
    """Whether every primary metric has a verdict."""
    primary = [row["verdict"] for row in rows if row["primary"]]
    return bool(primary) and CANNOT_TELL not in primary


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
