"""Questions from pairs of processes: each pair gives one value a side and one effect; pairs are the unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from storeprof.compare.judgement import Asked
from storeprof.compare.metrics import Key, Metric, in_order, metric_of
from storeprof.compare.statistics import Effect, hodges_lehmann, paired

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pair:
    """What one pair of processes gave: figures of both sides by metric, and log-ratios where slices gave them.

    `logs` has the Hodges–Lehmann log-ratio over the slices of the pair; a metric without one has whole-run figures.
    """

    baseline: Mapping[Key, float]
    candidate: Mapping[Key, float]
    logs: Mapping[Key, float] = field(default_factory=dict)


def turned(pair: Pair) -> Pair:
    """The same pair with its sides exchanged. Of equals the order is random: which is which may be thrown again."""
    return Pair(pair.candidate, pair.baseline, {key: -value for key, value in pair.logs.items()})


def log_ratio_of_slices(baseline: Array, candidate: Array) -> float | None:
    """Hodges–Lehmann estimate over slices of log(candidate / baseline); None without slices that both have."""
    both = (baseline > 0) & (candidate > 0)
    if not both.any():
        return None
    return hodges_lehmann(np.log(candidate[both] / baseline[both]))


def asked_of_pairs(pairs: Sequence[Pair], looks: int = 1) -> list[Asked]:
    """A question per metric that any pair knows on both sides."""
    keys = in_order(key for pair in pairs for key in set(pair.baseline) & set(pair.candidate))
    return [asked_of(metric_of(key), pairs, looks) for key in keys]


def asked_of(metric: Metric, pairs: Sequence[Pair], looks: int = 1) -> Asked:
    """One question over the pairs that know it."""
    key = metric.key
    known = [pair for pair in pairs if key in pair.baseline and key in pair.candidate]
    baseline = np.array([pair.baseline[key] for pair in known])
    candidate = np.array([pair.candidate[key] for pair in known])
    if len(known) == 0:
        return Asked(metric, None, None, None)
    means = float(baseline.mean()), float(candidate.mean())
    if metric.scale == "ratio":
        usable = (baseline > 0) & (candidate > 0)
        logs = [
            pair.logs[key] if key in pair.logs else float(np.log(pair.candidate[key] / pair.baseline[key]))
            for pair, good in zip(known, usable, strict=True)
            if good
        ]
        return Asked(metric, *means, paired(np.array(logs), looks))
    scale = max(means) or 1.0
    return Asked(metric, *means, _of_differences((candidate - baseline) / scale, looks), scale)


def _of_differences(differences: Array, looks: int) -> Effect | None:
    return paired(differences, looks)
