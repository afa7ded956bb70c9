"""Pair after pair until the question is settled or the time is spent, without more false alarms for looking often.

The looks are planned once, from what the first two pairs took: after 5, 12 and 30 pairs, and at the end. Error
probabilities are divided by their number (Bonferroni): plain, and right whatever the looks have in common. Pocock's
boundaries (1977) for four looks would detect effects 4 % smaller with the same pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from storeprof.compare.judgement import Row, Thresholds, is_settled, judged
from storeprof.compare.pairs import Pair, asked_of_pairs

LOOKS = (5, 12, 30)
FEWEST_PAIRS = 2
SETTLED, BUDGET, INTERRUPTED = "settled", "budget", "interrupted"


@dataclass(frozen=True)
class Course:
    """What a sequence of pairs came to. `looks` is the number that was planned for."""

    pairs: tuple[Pair, ...]
    rows: list[Row]
    looks: int
    stopped: str
    seconds: float


def planned_looks(most_pairs: int) -> list[int]:
    """After how many pairs the data is looked at, when at most so many can be made."""
    return [count for count in LOOKS if count < most_pairs] + [max(most_pairs, FEWEST_PAIRS)]


def run_pairs(
    measure: Callable[[int], Pair],
    thresholds: Thresholds,
    *,
    budget_s: float,
    clock: Callable[[], float],
    most_pairs: int | None = None,
    stop_when_settled: bool = True,
    heard: Callable[[int, float], None] = lambda count, left_s: None,
) -> Course:
    """Measure pairs (`measure` gets their number) until settled, or until another would pass the budget.

    At least two are made. A KeyboardInterrupt after these ends the sequence and keeps them. `heard` is told the pairs
    made and the seconds left.
    """
    pairs: list[Pair] = []
    start = clock()
    looks: list[int] = []
    stopped = BUDGET
    try:
        while True:
            pairs.append(measure(len(pairs)))
            elapsed = clock() - start
            each = elapsed / len(pairs)
            if len(pairs) == FEWEST_PAIRS:
                affordable = max(FEWEST_PAIRS, int(budget_s / max(each, 1e-9)))
                looks = planned_looks(min(affordable, most_pairs or affordable))
            heard(len(pairs), max(0.0, budget_s - elapsed))
            enough = len(pairs) >= FEWEST_PAIRS
            if enough and (elapsed + each > budget_s or len(pairs) == most_pairs):
                break
            if stop_when_settled and len(pairs) in looks and is_settled(_rows(pairs, looks, thresholds)):
                stopped = SETTLED
                break
    except KeyboardInterrupt:
        if len(pairs) < FEWEST_PAIRS:
            raise
        stopped = INTERRUPTED
        looks = looks or planned_looks(len(pairs))
    rows = _rows(pairs, looks, thresholds)
    if stopped == BUDGET and is_settled(rows):
        stopped = SETTLED
    return Course(tuple(pairs), rows, len(looks), stopped, clock() - start)


def _rows(pairs: list[Pair], looks: list[int], thresholds: Thresholds) -> list[Row]:
    return judged(asked_of_pairs(pairs, len(looks)), thresholds)


def pairs_for(effect_log: float, spread: float, power_factor: float = 3.65) -> int:
    """About how many pairs find a change of that size, where pairs differ by `spread` (both on the log scale)."""
    return max(3, math.ceil((power_factor * spread / effect_log) ** 2 + 2))
