"""A gate: each rule passed, regressed, or can't be told, with the sentence that says why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storeprof.compare.drift import between_runs_of
from storeprof.compare.gate_rules import Rule, Rules
from storeprof.compare.metrics import Key, work_key

PASSED, REGRESSED, CANNOT_TELL = "passed", "regressed", "cannot-tell"
_SIDES_OF_A_LIMIT = 2.0
COUNTED = {work_key(what)[0] for what in ("fsyncs", "system_calls")}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one rule."""

    rule: Rule
    status: str
    reason: str


def judge(
    rules: Rules,
    rows: Sequence[Row],
    values: Mapping[Key, float],
    runs: int,
    *,
    measured: bool,
    not_counted: str | None = None,
    crowded: float = 0.0,
) -> list[Outcome]:
    """An outcome per rule.

    `rows` are those of a comparison (empty without one), `values` the candidate's figures over `runs` runs. `measured`:
    the comparison knows how much runs differ (pairs of processes); else limits on times allow for it. `not_counted`:
    why the candidate's system calls are not known. `crowded`: what other programs took of the CPUs beside it.
    """
    by_key = {(row["name"], row["operation"]): row for row in rows}
    return [
        _absolute(
            rule,
            values,
            0.0 if measured else between_runs_of(rule.metric, crowded=crowded) / math.sqrt(max(runs, 1)),
            not_counted,
        )
        if rule.absolute
        else _relative(rule, by_key.get(rule.metric.key), rules.alpha)
        for rule in rules.rules
    ]


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """0 when all passed, 1 when any regressed, else 3."""
    found = {outcome.status for outcome in outcomes}
    return 1 if REGRESSED in found else 3 if CANNOT_TELL in found else 0


def _relative(rule: Rule, row: Row | None, alpha: float) -> Outcome:
    assert rule.max_regression is not None
    if row is None or row["p_adjusted"] is None:
        return Outcome(rule, CANNOT_TELL, "the metric is not known on both sides")
    limit = 1 + rule.max_regression
    if row["ratio"] is None:  # the baseline is zero: whatever is surely more than nothing is over every limit
        worse = (row["candidate"] > row["baseline"]) == (row["better"] == "lower")
        if row["candidate"] == row["baseline"]:
            return Outcome(rule, PASSED, "zero before and after")
        sure = row["p_adjusted"] < alpha and worse
        said = f"{row['baseline']:g} before, {row['candidate']:g} after"
        return Outcome(rule, REGRESSED if sure else CANNOT_TELL if worse else PASSED, said)
    ends = [row["ratio"], *row["ci"]]
    if row["better"] == "higher":
        ends = [1 / end if end > 0 else math.inf for end in ends]
    worse, furthest = ends[0], max(ends[1:])
    said = f"{row['ratio'] - 1:+.1%} ({row['ci'][0] - 1:+.1%} to {row['ci'][1] - 1:+.1%})"
    if worse > limit and row["p_adjusted"] < alpha:
        return Outcome(rule, REGRESSED, f"{said}, p {row['p_adjusted']:.2g}")
    if furthest <= limit:
        return Outcome(rule, PASSED, said)
    return Outcome(rule, CANNOT_TELL, f"{said}: the interval reaches over the limit; measure longer, or by a duel")


def _absolute(rule: Rule, values: Mapping[Key, float], allowance: float, not_counted: str | None) -> Outcome:
    value = value_of(rule, values)
    if value is None:
        return Outcome(rule, CANNOT_TELL, _missing(rule, values, not_counted))
    margin = 1.0 if rule.metric.scale == "count" else math.exp(_SIDES_OF_A_LIMIT * allowance)
    for limit, over in ((rule.at_most, True), (rule.at_least, False)):
        if limit is None:
            continue
        if value > limit * margin if over else value < limit / margin:
            return Outcome(rule, REGRESSED, f"it is {value:.4g}")
        if value > limit / margin if over else value < limit * margin:
            if margin == 1.0:
                continue
            return Outcome(rule, CANNOT_TELL, f"it is {value:.4g}, nearer to the limit than runs differ")
    return Outcome(rule, PASSED, f"it is {value:.4g}")


def _missing(rule: Rule, values: Mapping[Key, float], not_counted: str | None) -> str:
    """Why a figure is not there, as far as is known: nobody counted, or the rule names no operation that was done."""
    name, operation = rule.metric.key
    of_metric = sorted({str(one) for of, one in values if of == name and one})
    done = of_metric or sorted({str(one) for of, one in values if of == "throughput" and one})
    if name in COUNTED and not_counted:
        return f"the counter is missing: {not_counted}"
    if operation is None and of_metric:
        return f"it is known by operation: name one of {', '.join(of_metric)}"
    if operation is not None and done and operation not in done:
        return f"there is no {operation!r} in it; there is {', '.join(done)}"
    if operation is not None and not done:
        return f"no operations are known in it, so there is no {operation!r}"
    return "the counter is missing in this recording"


def value_of(rule: Rule, values: Mapping[Key, float]) -> float | None:
    """The candidate's figure that a rule is about; None when it is not known.

    Work per operation with an `operation` is per operation of that kind: all of it over the share of that kind.
    """
    name, operation = rule.metric.key
    if rule.metric.key in values or rule.metric.scale != "count" or operation is None:
        return values.get(rule.metric.key)
    whole, rate, of_kind = values.get((name, None)), values.get(("throughput", None)), _rate(values, operation)
    if whole is None or not rate or not of_kind:
        return None
    return whole * rate / of_kind


def _rate(values: Mapping[Key, float], operation: str) -> float | None:
    return values.get(("throughput", operation))
