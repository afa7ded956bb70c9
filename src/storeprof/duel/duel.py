"""A duel from start to document: pairs, counted work, what explains the change; kept in one folder."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from storeprof.compare.comparison import document_of
from storeprof.compare.judgement import IMPROVED, REGRESSED, judged, overall
from storeprof.compare.measured import Measured
from storeprof.compare.pairs import Pair, asked_of_pairs
from storeprof.duel.counting import NOT_COUNTED, count_work, with_counts
from storeprof.duel.explaining import bare, record_both
from storeprof.duel.options import DuelOptions
from storeprof.duel.sequential import INTERRUPTED, Course, pairs_for, run_pairs
from storeprof.duel.slice_pairs import SlicePairs
from storeprof.duel.whole_runs import WholeRuns

Document = dict[str, Any]
COMPARISON = "comparison.json"
PAIRS = "pairs.jsonl"
FEW_PAIRS, ENOUGH_PAIRS = 5, 12
LEAST_OTHERWISE = 0.1


class Pairs(Protocol):
    """What makes pairs."""

    @property
    def operations(self) -> int | None:
        """Operations of a slice; None where runs are whole, and before the first pair."""
        ...

    def pair(self, number: int) -> Pair:
        """Measure both sides once."""
        ...


def fight(
    options: DuelOptions, heard: Callable[[int, float], None], clock: Callable[[], float] = time.monotonic
) -> Document:
    """Measure until the question is settled or the budget spent; returns the comparison document, which is kept, too.

    Raises StoreprofError when a version fails. What was measured until then is in `pairs.jsonl`.
    """
    found, operations = measure_pairs(options, heard, clock)
    after = _afterwards(options, found, operations)
    warnings = [*_weakness(options, found), *after.warnings]
    design = design_of(options, found, operations)
    rows = _rows(options, found, after.counted)
    change = proven_change(rows)
    document = document_of(rows, after.baseline, after.candidate, design, warnings=warnings, measured=change)
    if not after.baseline.costs:  # not asked for, or said already
        document["warnings"] = [line for line in document["warnings"] if not line.startswith("no operations are known")]
    document["warnings"] += explained_otherwise(document, after.baseline, after.candidate)
    (options.folder / COMPARISON).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def measure_pairs(
    options: DuelOptions,
    heard: Callable[[int, float], None],
    clock: Callable[[], float],
    *,
    stop_when_settled: bool = True,
) -> tuple[Course, int | None]:
    """Pairs until settled or the time is spent, each written down as it is made; and the operations of a slice."""
    source: Pairs = SlicePairs(options) if options.slices else WholeRuns(options)
    found = run_pairs(
        keeping(source, options.folder / PAIRS),
        options.thresholds,
        budget_s=options.budget_s,
        clock=clock,
        most_pairs=options.most_pairs,
        stop_when_settled=stop_when_settled,
        heard=heard,
    )
    return found, source.operations


def proven_change(rows: list[Document]) -> float | None:
    """How the time per operation changed by the pairs (0.05: a twentieth more); None where they can't tell."""
    row = next((row for row in rows if row["name"] == "throughput" and row["operation"] is None), None)
    return 1 / row["ratio"] - 1 if row and row["ratio"] and row["verdict"] in (IMPROVED, REGRESSED) else None


def explained_otherwise(document: Document, baseline: Measured, candidate: Measured) -> list[str]:
    """Says where the recordings that explain the change of the pairs, which live shorter, changed otherwise."""
    measured = proven_change(document["metrics"])
    before, now = (sum(cost.seconds for cost in side.costs) for side in (baseline, candidate))
    if measured is None or not before or document["unexplained_share"] is None:
        return []
    recorded = now / before - 1
    if abs(recorded - measured) <= max(LEAST_OTHERWISE, abs(measured) / 2):
        return []
    return [
        f"time per operation changed by {measured:+.0%} in the pairs, and by {recorded:+.0%} in the recordings that "
        "explain it, which are longer and observed: costs that grow with the data weigh more there, and the "
        "difference is in the rest"
    ]


@dataclass
class _Afterwards:
    """What follows the pairs: pairs that know counted work, both sides with the places of the change, and warnings."""

    baseline: Measured
    candidate: Measured
    counted: list[Pair] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _afterwards(options: DuelOptions, found: Course, operations: int | None) -> _Afterwards:
    """Count and explain; an interrupt ends that, and what is there is kept."""
    after = _Afterwards(bare(options.baseline), bare(options.candidate))
    if found.stopped == INTERRUPTED:
        return after
    try:
        after.counted, not_counted = count_work(options, operations, found.seconds / len(found.pairs))
        after.warnings += [not_counted] if not_counted else []
        if options.explain and overall(_rows(options, found, after.counted)) in (IMPROVED, REGRESSED):
            after.baseline, after.candidate, said = record_both(options, operations)
            after.warnings += said
    except KeyboardInterrupt:
        what = "the change is not explained" if after.counted else f"{NOT_COUNTED}, and no change is explained"
        after.warnings.append(f"{what}: interrupted after the pairs")
    return after


def _rows(options: DuelOptions, found: Course, counted: list[Pair]) -> list[Document]:
    return judged(asked_of_pairs(with_counts(found.pairs, counted), found.looks), options.thresholds)


def keeping(source: Pairs, path: Path) -> Callable[[int], Pair]:
    """Pairs that are written down as they are made, so that nothing is lost by what ends the duel."""

    def measured(number: int) -> Pair:
        pair = source.pair(number)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(_as_row(pair)) + "\n")
        return pair

    return measured


def _as_row(pair: Pair) -> Document:
    def cells(side: Any) -> list[Document]:
        return [{"name": name, "operation": operation, "value": value} for (name, operation), value in side.items()]

    return {"baseline": cells(pair.baseline), "candidate": cells(pair.candidate), "logs": cells(pair.logs)}


def design_of(options: DuelOptions, found: Course, operations: int | None) -> Document:
    """How the data came about, as the comparison document has it."""
    return {
        "unit": "pairs of processes",
        "mode": "slices" if options.slices else "whole runs",
        "pairs": len(found.pairs),
        "slices_per_pair": options.slices_per_pair if options.slices else None,
        "operations_per_slice": operations,
        "looks": found.looks,
        "stopped": found.stopped,
        "seconds": round(found.seconds, 1),
        "seed": options.seed,
    }


def _weakness(options: DuelOptions, found: Course) -> list[str]:
    """What a reader has to know of how little was measured."""
    said = []
    if len(found.pairs) < FEW_PAIRS:
        few = f"only {len(found.pairs)} pairs of processes were measured"
        said.append(f"{few}; give more with --pairs" if options.most_pairs else f"{few}; give more time with --budget")
    asked = next((one for one in asked_of_pairs(found.pairs) if one.metric.primary and one.effect), None)
    if not options.slices and asked and asked.effect and asked.effect.error > 0:
        spread = asked.effect.error * math.sqrt(asked.effect.count)
        needed = pairs_for(0.05, spread)
        said.append(
            f"whole runs alternate: two in a row differ by {spread:.1%} in {asked.metric.words}, so to find 5 % takes "
            f"about {needed} pairs"
            + (f"; where slices alternate {FEW_PAIRS} to {ENOUGH_PAIRS} do" if needed > ENOUGH_PAIRS else "")
        )
    return said
