"""What a finding promised against what came true: the gain predicted, the part of the cost that is gone, the gain."""

from __future__ import annotations

from typing import Any

from storeprof.compare.measured import Measured

Document = dict[str, Any]
GONE = 0.5
# The categories of busy wall time that a kind's cost lies in; kinds that are not time have none.
CATEGORIES_OF = {
    "cpu-hotspot": ("cpu",), "lock-contention": ("lock",), "gil-contention": ("gil",), "io-wait": ("io",),
    "network-wait": ("network",), "dependency-wait": ("dependency",), "sleep-wait": ("sleep",), "gc-pressure": ("gc",),
    "cpu-starvation": ("run_queue",),
}  # fmt: skip
_OF_THE_WHOLE_PROGRAM = ("gil", "run_queue")


def predictions(
    baseline: Measured, candidate: Measured, throughput: Document | None, in_slices: bool = False
) -> list[Document]:
    """Of each finding of the baseline of which half or more is gone: what was predicted, and what came true.

    `in_slices`: the throughput is that of slices, so what an operation gains it gains, though the worker waits between
    them and findings promise latency. `throughput`: its row of the comparison; without it nothing came true that can be
    told. A fix that removes part of a cost was predicted that part of its gain: 1 / (1 - removed * (1 - 1/speedup)).
    """
    found, bases = [], ("throughput", "latency") if in_slices else ("throughput",)
    for row in baseline.findings:
        categories = CATEGORIES_OF.get(row["kind"])
        if not categories or row["impact"]["basis"] not in bases or not throughput or not throughput["ratio"]:
            continue
        before, after = (_cost(side, categories, row["where"]["function"]) for side in (baseline, candidate))
        if before <= 0:
            continue
        removed = 1 - after / before
        if removed >= GONE:
            impact = row["impact"]
            found.append(
                {
                    "id": row["id"],
                    "kind": row["kind"],
                    "where": row["where"],
                    "removed_share": round(removed, 3),
                    "predicted_speedup": _partly(impact["speedup_if_fixed"], removed),
                    "predicted_ci": [_partly(end, removed) for end in impact["ci"]],
                    "realised_speedup": throughput["ratio"],
                    "realised_ci": throughput["ci"],
                }
            )
    return sorted(found, key=lambda one: -float(one["predicted_speedup"]))


def _cost(side: Measured, categories: tuple[str, ...], function: str | None) -> float:
    return sum(
        cost.seconds
        for cost in side.costs
        if cost.category in categories and (cost.function == function or cost.category in _OF_THE_WHOLE_PROGRAM)
    )


def _partly(speedup: float, removed: float) -> float:
    return round(1 / (1 - min(removed, 1.0) * (1 - 1 / max(speedup, 1.0))), 3)
