"""Where the change is: busy wall time per operation by place and reason, before and after, with an explicit rest.

The places of a side add up to its busy wall time per operation, so their changes add up to its change. After a duel
the change is the one that the pairs measured, and what the recordings have more or less of it is in the rest. What is
listed and the rest make one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storeprof.compare.measured import Cost, Measured

Document = dict[str, Any]
MOST_LISTED = 10
SMALLEST_LISTED = 0.02
SHARES_FROM = 0.03
Key = tuple[str, str | None, str | None]


@dataclass(frozen=True)
class Explanation:
    """Rows of the comparison document, the change they are of, and the share of it that no row has."""

    change_s: float
    baseline_s: float
    rows: list[Document]
    unexplained_share: float | None


def explain(baseline: Measured, candidate: Measured, measured: float | None = None) -> Explanation | None:
    """Explain the change of busy wall time per operation; None where operations or places are unknown.

    `measured`: the change of the time per operation (0.05: a twentieth more) where it is known better than by them.
    Shares are of the change, and null when that is under 3 % of the time: parts of nothing mean nothing.
    """
    before, after = _by_place(baseline.costs), _by_place(candidate.costs)
    if not before or not after:
        return None
    old, new = (sum(cost.seconds for cost in side.values()) for side in (before, after))
    change = new - old if measured is None else measured * old
    nothing = Cost("", None, None, None, None, 0.0)
    moved = {
        key: after.get(key, nothing).seconds - before.get(key, nothing).seconds
        for key in dict.fromkeys([*before, *after])
        if _is_a_place(key)
    }
    ranked = sorted(moved, key=lambda key: -abs(moved[key]))[:MOST_LISTED]
    listed = [key for key in ranked if abs(moved[key]) >= SMALLEST_LISTED * max(abs(change), SHARES_FROM * old)]
    shares = abs(change) >= SHARES_FROM * max(old, old + change)
    rows = [_row(after.get(key) or before[key], moved[key], change if shares else None) for key in listed]
    rest = 1.0 - sum(moved[key] for key in listed) / change if shares else None
    return Explanation(change, old, rows, None if rest is None else round(rest, 4))


def _is_a_place(key: Key) -> bool:
    """Waiting for a CPU or the GIL explains without a place; other time without one is the rest."""
    return key[1] is not None or key[0] in ("run_queue", "gil")


def _by_place(costs: Sequence[Cost]) -> dict[Key, Cost]:
    return {(cost.category, cost.function, cost.resource): cost for cost in costs}


def _row(cost: Cost, moved: float, change: float | None) -> Document:
    return {
        "where": {
            "category": cost.category, "function": cost.function, "file": cost.file, "line": cost.line,
            "resource": cost.resource,
        },
        "change_per_operation_s": float(f"{moved:.4g}"),
        "share_of_change": None if change is None else round(moved / change, 4),
    }  # fmt: skip
