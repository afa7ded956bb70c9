"""Rules of a gate as `[tool.storeprof.gate]` of pyproject.toml has them (docs/formats/gate.md)."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storeprof.compare.metrics import Key, Metric, is_known, metric_of
from storeprof.errors import UsageError

_OF_A_RULE = {"metric", "operation", "max_regression_percent", "at_most", "at_least"}
_OF_THE_TABLE = {"against", "rules", "alpha"}
ALPHA = 0.01


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a metric may get worse by `max_regression` (a share) at most, or has to stay within absolute limits."""

    metric: Metric
    max_regression: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def absolute(self) -> bool:
        """Whether it needs no baseline."""
        return self.max_regression is None

    @property
    def words(self) -> str:
        """The rule for people."""
        if self.max_regression is not None:
            return f"{self.metric.label}: at most {100 * self.max_regression:g} % worse"
        limits = [("at most", self.at_most), ("at least", self.at_least)]
        return f"{self.metric.label}: " + ", ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)


@dataclass(frozen=True)
class Rules:
    """All rules of a gate, the baseline they are for, and how sure a regression has to be."""

    rules: tuple[Rule, ...]
    against: str | None = None
    alpha: float = ALPHA
    where: str = field(default="")

    @property
    def keys(self) -> set[Key]:
        """The metrics that are compared with a baseline."""
        return {rule.metric.key for rule in self.rules if not rule.absolute}


def read_rules(path: Path) -> Rules:
    """Rules of a pyproject.toml.

    Raises UsageError when the file, the table or a rule can't be used; the message names the rule by its number.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror}); name the file with --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no TOML ({error})") from None
    table: Any = document
    for name in ("tool", "storeprof", "gate"):
        table = table.get(name) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        raise UsageError(f"{path}: has no [tool.storeprof.gate]; docs/formats/gate.md shows one")
    return rules_from(table, str(path))


def rules_from(table: dict[str, Any], where: str) -> Rules:
    """Rules of the table. Raises UsageError."""
    _known(table, _OF_THE_TABLE, f"{where}: [tool.storeprof.gate]")
    listed = table.get("rules")
    if not isinstance(listed, list) or not listed:
        raise UsageError(f"{where}: [tool.storeprof.gate] has no rules; add [[tool.storeprof.gate.rules]]")
    alpha = table.get("alpha", ALPHA)
    if not isinstance(alpha, int | float) or not 0 < alpha < 1:
        raise UsageError(f"{where}: alpha = {alpha!r} is no probability; 0.01 is the default")
    against = table.get("against")
    rules = tuple(_rule(row, f"{where}: rule {number}") for number, row in enumerate(listed, start=1))
    return Rules(rules, str(against) if against is not None else None, float(alpha), where)


def _rule(row: Any, where: str) -> Rule:
    if not isinstance(row, dict):
        raise UsageError(f"{where} is no table; it has metric = … and a limit")
    _known(row, _OF_A_RULE, where)
    name = row.get("metric")
    if not isinstance(name, str) or not is_known(name):
        raise UsageError(f"{where}: no metric {name!r}; `storeprof compare --json` names those there are")
    operation = row.get("operation")
    if operation is not None and not isinstance(operation, str):
        raise UsageError(
            f"{where}: operation = {operation!r} is no name; `storeprof compare --json` names those there are"
        )
    limits = {key: _number(row, key, where) for key in ("max_regression_percent", "at_most", "at_least")}
    relative, absolute = limits["max_regression_percent"], (limits["at_most"], limits["at_least"])
    if (relative is None) == (absolute == (None, None)):
        raise UsageError(f"{where}: give max_regression_percent, or at_most or at_least")
    metric = metric_of((name, operation))
    return Rule(metric, None if relative is None else relative / 100, *absolute)


def _number(row: dict[str, Any], key: str, where: str) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise UsageError(f"{where}: {key} = {value!r} is no number from 0 on")
    return float(value)


def _known(row: dict[str, Any], names: set[str], where: str) -> None:
    unknown = sorted(set(row) - names)
    if unknown:
        raise UsageError(f"{where} does not know {unknown[0]!r}; it knows {', '.join(sorted(names))}")
