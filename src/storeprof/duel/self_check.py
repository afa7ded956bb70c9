"""`duel --self`: one version against itself. What is found is a false alarm; the spread says what could be seen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from storeprof.compare.judgement import IMPROVED, REGRESSED, Thresholds, judged
from storeprof.compare.pairs import Pair, asked_of_pairs, turned
from storeprof.compare.statistics import Effect
from storeprof.duel.duel import measure_pairs
from storeprof.duel.options import DuelOptions

Document = dict[str, Any]
DRAWS = 1000
SIZES = (5, 10, 20)
GATE_ALPHA = 0.01


def check(
    options: DuelOptions, heard: Callable[[int, float], None], clock: Callable[[], float] = time.monotonic
) -> Document:
    """Measure pairs of one version with itself for the whole budget; returns what `duel --self --json` prints."""
    found, _ = measure_pairs(options, heard, clock, stop_when_settled=False)
    return {
        "schema": 1,
        "self": True,
        "pairs": len(found.pairs),
        "seconds": round(found.seconds, 1),
        "mode": "slices" if options.slices else "whole runs",
        "false_alarms": {
            "pairs_per_duel": SIZES[0],
            "duels_drawn": DRAWS,
            "any_metric": false_alarms(found.pairs, options.thresholds),
            "any_metric_of_a_gate": false_alarms(found.pairs, Thresholds(GATE_ALPHA, options.thresholds.least)),
        },
        "metrics": [_row(asked) for asked in asked_of_pairs(found.pairs) if asked.effect is not None],
    }


def false_alarms(pairs: Sequence[Pair], thresholds: Thresholds, size: int = SIZES[0], seed: int = 1) -> float | None:
    """Share of duels of `size` pairs, drawn without repetition, in which any metric is said to have changed.

    Draws overlap, so this is an estimate whose error is that of len(pairs) / size duels; None with too few pairs.
    """
    if len(pairs) < 2 * size:
        return None
    chance = np.random.default_rng(seed)
    alarms = 0
    for _ in range(DRAWS):
        drawn = [pairs[at] for at in chance.choice(len(pairs), size, replace=False)]
        thrown = [turned(pair) if chance.random() < 0.5 else pair for pair in drawn]
        rows = judged(asked_of_pairs(thrown), thresholds)
        alarms += any(row["verdict"] in (IMPROVED, REGRESSED) for row in rows)
    return alarms / DRAWS


def _row(asked: Any) -> Document:
    effect: Effect = asked.effect
    spread = effect.error * math.sqrt(effect.count)
    return {
        "name": asked.metric.name,
        "operation": asked.metric.operation,
        "primary": asked.metric.primary,
        "spread_of_pairs": float(f"{spread:.4g}"),
        "minimum_detectable": {str(size): float(f"{math.exp(_detectable(spread, size)):.5g}") for size in SIZES},
    }


def _detectable(spread: float, size: int) -> float:
    """Log change that a duel of `size` pairs finds 4 times in 5, corrected for four looks and six metrics."""
    return min(Effect(0.0, spread / math.sqrt(size), size - 1, size, 4).detectable(0.05 * 0.8 / 6), 50.0)
