"""Rules of a gate: how they are read, and when they pass, regress, or can't be told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sides import side

from storeprof.compare.comparison import compare
from storeprof.compare.gate import exit_status, judge, value_of
from storeprof.compare.gate_rules import Rules, read_rules, rules_from
from storeprof.compare.judgement import Thresholds
from storeprof.compare.measured import Measured, Run
from storeprof.compare.metrics import Key
from storeprof.duel.sides import values_of_side
from storeprof.errors import UsageError
from storeprof.report.gate import markdown


def rules(*rows: dict[str, Any]) -> Rules:
    """Rules of a table."""
    return rules_from({"rules": list(rows)}, "pyproject.toml")


def turned(name: str, values: list[dict[Key, float]], first: int) -> Measured:
    """A side whose runs stand in turn with those of the other."""
    made = side(name, values)
    runs = tuple(type(run)(run.values, 2 * at + first, 2 * at + first + 1) for at, run in enumerate(made.runs))
    return Measured(made.name, made.about, runs, (), ())


CPU: Key = ("cpu_per_operation", None)
FIVE_PERCENT = {"metric": "cpu_per_operation", "max_regression_percent": 5}


@pytest.mark.parametrize(
    ("factor", "status"), [(1.0, "passed"), (1.2, "regressed"), (0.8, "passed"), (1.045, "cannot-tell")]
)
def test_a_relative_rule(factor: float, status: str) -> None:
    """It regresses when surely worse by more, passes when the interval keeps the limit, and else can't be told."""
    before = turned("a", [{CPU: value} for value in (1.0, 1.01, 0.99, 1.0)], 0)
    after = turned("b", [{CPU: factor * value} for value in (1.01, 1.0, 1.0, 0.99)], 1)
    gate = rules(FIVE_PERCENT)
    document = compare(before, after, Thresholds(gate.alpha), only=gate.keys)
    (outcome,) = judge(gate, document["metrics"], values_of_side(after), 4, measured=False)
    assert outcome.status == status, outcome.reason


def test_a_metric_that_is_missing_can_not_be_told() -> None:
    """No counter, no pass: neither relative nor absolute."""
    gate = rules(FIVE_PERCENT, {"metric": "fsyncs_per_operation", "at_most": 0.01})
    outcomes = judge(gate, [], {}, 1, measured=False)
    assert [one.status for one in outcomes] == ["cannot-tell", "cannot-tell"]
    assert exit_status(outcomes) == 3
    assert "missing" in outcomes[1].reason


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"metric": "latency_p50", "operation": "put"}, "there is no 'put' in it; there is get"),
        ({"metric": "latency_p50"}, "known by operation: name one of get"),
        ({"metric": "fsyncs_per_operation"}, "the counter is missing: no perf here"),
        ({"metric": "net_calls_per_operation"}, "the counter is missing in this recording"),
    ],
)
def test_why_a_metric_is_missing_is_said(rule: dict[str, Any], why: str) -> None:
    """The operations there are, where the rule names none of them; who could not count; else that nobody did."""
    values: dict[Key, float] = {("latency_p50", "get"): 1.0, ("throughput", "get"): 1.0}
    (outcome,) = judge(rules({**rule, "at_most": 1}), [], values, 1, measured=False, not_counted="no perf here")
    assert (outcome.status, why in outcome.reason) == ("cannot-tell", True), outcome.reason


def test_work_is_judged_exactly() -> None:
    """A count is over its limit or it is not; no machine changes that."""
    gate = rules({"metric": "fsyncs_per_operation", "at_most": 0.01})
    for value, status in ((0.01, 0), (0.0101, 1), (0.0, 0)):
        assert exit_status(judge(gate, [], {("fsyncs_per_operation", None): value}, 1, measured=False)) == status


def test_work_of_one_kind_of_operation() -> None:
    """All fsyncs over all writes: half the operations write, so each write has twice the fsyncs of an operation."""
    (rule,) = rules({"metric": "fsyncs_per_operation", "operation": "write", "at_most": 1}).rules
    values: dict[Key, float] = {
        ("fsyncs_per_operation", None): 0.5, ("throughput", None): 100.0, ("throughput", "write"): 50.0,
    }  # fmt: skip
    assert value_of(rule, values) == 1.0
    assert value_of(rule, {**values, ("throughput", "write"): 0.0}) is None
    recorded = Run({("fsyncs_per_operation", None): 0.5}, 0, 1, {"write": 10, "read": 30, None: 40})
    assert value_of(rule, values_of_side(Measured("a", {}, (recorded,), (), ()))) == 2.0


def test_a_time_near_its_limit_can_not_be_told_from_one_run() -> None:
    """Two runs of one program differ by a few percent: within that of the limit there is no answer."""
    gate = rules({"metric": "cpu_per_operation", "at_most": 1e-3})
    for value, status in ((0.8e-3, 0), (1.01e-3, 3), (1.3e-3, 1)):
        assert exit_status(judge(gate, [], {CPU: value}, 1, measured=False)) == status
    assert exit_status(judge(gate, [], {CPU: 1.01e-3}, 1, measured=True)) == 1


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ({}, "has no rules"),
        ({"rules": [{"metric": "latency_p42", "at_most": 1}]}, "no metric 'latency_p42'"),
        ({"rules": [{"metric": "throughput"}]}, "rule 1: give max_regression_percent"),
        ({"rules": [{"metric": "throughput", "at_most": 1, "max_regression_percent": 1}]}, "rule 1: give"),
        ({"rules": [{"metric": "throughput", "at_most": "fast"}]}, "at_most = 'fast' is no number"),
        ({"rules": [{"metric": "throughput", "at_most": float("nan")}]}, "at_most = nan is no number"),
        ({"rules": [{"metric": "latency_p50", "operation": 5, "at_most": 1}]}, "operation = 5 is no name"),
        ({"rules": [{"metric": "throughput", "limit": 1}]}, "does not know 'limit'"),
        ({"rules": [FIVE_PERCENT], "alpha": 2}, "alpha = 2"),
    ],
)
def test_rules_that_can_not_be_used_are_named(table: dict[str, Any], what: str) -> None:
    """Each mistake is one line with the rule's number and what it could be instead."""
    with pytest.raises(UsageError, match=re.escape(what)):
        rules_from(table, "pyproject.toml")


def test_rules_are_read_from_pyproject(tmp_path: Path) -> None:
    """The table as documented; a file without it, or without a file, says what to do."""
    path = tmp_path / "pyproject.toml"
    with pytest.raises(UsageError, match="can't be read"):
        read_rules(path)
    path.write_text("[project]\nname = 'x'\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no"):
        read_rules(path)
    for text in ("tool = 3", "[tool]\nstoreprof = 3"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="has no"):
            read_rules(path)
    documented = (Path(__file__).parents[2] / "docs" / "formats" / "gate.md").read_text(encoding="utf-8")
    path.write_text(documented.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    gate = read_rules(path)
    assert (gate.against, gate.alpha, len(gate.rules), gate.keys) == ("main", 0.01, 2, {CPU})
    assert [rule.words for rule in gate.rules] == [
        "cpu_per_operation: at most 5 % worse",
        "fsyncs_per_operation of write: at most 0.01",
    ]


def test_a_summary_shows_names_as_they_are() -> None:
    """A template's argument is no tag of HTML and a bar no border of the table: reviewers read the rule that failed."""
    shown = markdown([("calls_per_operation of Map<int>::operator|: at most 1", "regressed", "it is 2")])
    assert "Map&lt;int>::operator\\|: at most 1 | REGRESSED |" in shown
