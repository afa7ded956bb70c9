"""Two recordings, or two series of them, into the comparison document (CONTRACT, docs/formats/comparison.md)."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from storeprof.compare.differences import differences
from storeprof.compare.drift import (
    MEASURED_S,
    ONE_SERIES_AFTER_THE_OTHER,
    between_runs_of,
    counted_too_seldom,
    crowded_of,
    interleaved,
    operations_of,
    per_run_of,
    values_of,
)
from storeprof.compare.explanation import explain
from storeprof.compare.judgement import Asked, Thresholds, judged, overall
from storeprof.compare.measured import Measured
from storeprof.compare.metrics import WALL_PART, Key, Metric, in_order, metric_of
from storeprof.compare.prediction import predictions
from storeprof.compare.statistics import Effect, unpaired, widened

SCHEMA = 1
# A single run a side has no spread of its own: the allowance is taken as known, from this many runs.
FREEDOM_OF_ALLOWANCE = 9
SAME_AMOUNT = 1.1
Document = dict[str, Any]


def compare(
    baseline: Measured, candidate: Measured, thresholds: Thresholds | None = None, only: Collection[Key] | None = None
) -> Document:
    """The comparison document of two sides that were recorded one after the other.

    `only`: ask no more than these metrics, so that fewer questions have to share the error probability.
    """
    asked = [
        _asked(metric_of(key), baseline, candidate)
        for key in in_order({*_keys(baseline), *_keys(candidate)})
        if only is None or key in only
    ]
    rows = judged(asked, thresholds or Thresholds())
    return document_of(
        rows,
        baseline,
        candidate,
        {
            "unit": "recordings",
            "baseline_runs": len(baseline.runs),
            "candidate_runs": len(candidate.runs),
            "interleaved": interleaved(baseline, candidate),
        },
        warnings=[
            *_one_after_the_other(baseline, candidate),
            *_beside_others(baseline, candidate),
            *_other_amount(baseline, candidate),
            *differences(baseline, candidate),
        ],
    )


def document_of(
    rows: list[Document],
    baseline: Measured,
    candidate: Measured,
    design: Document,
    *,
    warnings: list[str],
    measured: float | None = None,
) -> Document:
    """Rows put together with what explains them; `measured` as in `explain`."""
    throughput = next((row for row in rows if row["name"] == "throughput" and row["operation"] is None), None)
    explained = explain(baseline, candidate, measured)
    unknown = (
        "no operations are known on both sides, so the change can't be explained place by place; "
        "use `record --operation`, or let the program print ops=N seconds=S"
    )
    return {
        "schema": SCHEMA,
        "verdict": overall(rows),
        "baseline": {"name": baseline.name, **baseline.about},
        "candidate": {"name": candidate.name, **candidate.about},
        "design": design,
        "metrics": rows,
        "explanation": explained.rows if explained else [],
        "change_per_operation_s": float(f"{explained.change_s:.4g}") if explained else None,
        "unexplained_share": explained.unexplained_share if explained else None,
        "predictions": predictions(baseline, candidate, throughput, design.get("mode") == "slices"),
        "warnings": warnings + ([] if explained else [unknown]),
    }


def _keys(side: Measured) -> set[Key]:
    """What a side knows; kinds of waiting that it never saw are no question."""
    return {key for run in side.runs for key, value in run.values.items() if value or not key[0].startswith(WALL_PART)}


def _asked(metric: Metric, baseline: Measured, candidate: Measured) -> Asked:
    sides = [np.array(values_of(side, metric.key)) for side in (baseline, candidate)]
    if any(len(side) == 0 for side in sides):
        known = [float(side.mean()) if len(side) else None for side in sides]
        return Asked(metric, known[0], known[1], None)
    before, after = (float(side.mean()) for side in sides)
    shortest = min(float(side.about.get("duration_s") or MEASURED_S) for side in (baseline, candidate))
    crowded = crowded_of(baseline, candidate)
    drift = 0.0 if interleaved(baseline, candidate) else between_runs_of(metric, shortest, crowded)
    if drift and metric.name == "throughput":
        drift = math.hypot(drift, counted_too_seldom(min(before, after) * shortest))
    if metric.scale == "ratio":
        if min(side.min() for side in sides) <= 0:
            return Asked(metric, before, after, None)
        if metric.unit == "B" and not _same_amount(baseline, candidate):
            return Asked(metric, before, after, None)
        return Asked(metric, before, after, _effect(np.log(sides[0]), np.log(sides[1]), drift))
    scale = _whole(baseline, candidate) if metric.scale == "part" else max(before, after) or 1.0
    if before == after == 0:  # nothing was counted on either side: no allowance makes something of it
        return Asked(metric, before, after, Effect(0.0, 0.0, FREEDOM_OF_ALLOWANCE, 1), scale)
    fewest = min(operations_of(side) for side in (baseline, candidate))
    at_start = per_run_of(metric) / fewest / scale if drift else 0.0
    effect = widened(_effect(sides[0] / scale, sides[1] / scale, drift), at_start)
    return Asked(metric, before, after, effect, scale)


def _effect(baseline: Any, candidate: Any, drift: float) -> Effect:
    """The spread between runs where there are several a side, and an allowance for what nobody can know from these."""
    found = unpaired(baseline, candidate)
    if found is not None:
        return widened(found, math.sqrt(2) * drift * ONE_SERIES_AFTER_THE_OTHER)
    counts = 1 / len(baseline) + 1 / len(candidate)
    allowance = math.sqrt(counts) * max(drift, 1e-9)
    change = float(np.mean(candidate) - np.mean(baseline))
    return Effect(change, allowance, FREEDOM_OF_ALLOWANCE, min(len(baseline), len(candidate)))


def _whole(baseline: Measured, candidate: Measured) -> float:
    """The larger busy wall time per operation: what parts are parts of."""
    key: Key = ("busy_wall_per_operation", None)
    return max((float(np.mean(values_of(side, key) or [0.0])) for side in (baseline, candidate)), default=0.0) or 1.0


def _same_amount(baseline: Measured, candidate: Measured) -> bool:
    """Whether both sides did about as many operations, so that memory is of about as much data."""
    before, after = (operations_of(side) for side in (baseline, candidate))
    return max(before, after) <= SAME_AMOUNT * min(before, after)


def _other_amount(baseline: Measured, candidate: Measured) -> list[str]:
    if _same_amount(baseline, candidate):
        return []
    times = operations_of(candidate) / operations_of(baseline)
    return [
        f"the candidate did {times:.2g} times as many operations, so memory is of other amounts of data and is not "
        "compared; `storeprof duel` gives both the same operations"
    ]


def _beside_others(baseline: Measured, candidate: Measured) -> list[str]:
    if interleaved(baseline, candidate) or not crowded_of(baseline, candidate):
        return []
    before, after = (float(side.about.get("crowded") or 0.0) for side in (baseline, candidate))
    return [
        f"other programs took {before:.0%} and {after:.0%} of the CPUs meanwhile, so times differ more between runs, "
        "and intervals allow for it; `storeprof duel` lets them meet both sides alike"
    ]


def _one_after_the_other(baseline: Measured, candidate: Measured) -> list[str]:
    if interleaved(baseline, candidate):
        return []
    if min(len(baseline.runs), len(candidate.runs)) < 2:
        return [
            "one recording after the other can't settle small effects: how much runs differ is assumed, not measured; "
            "`storeprof duel` settles them"
        ]
    return [
        "series recorded one after the other can't settle small effects: what the machine did in between meets one "
        "side only; `storeprof duel` settles them"
    ]
