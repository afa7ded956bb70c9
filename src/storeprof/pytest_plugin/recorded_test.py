"""One marked test: recorded in a process of its own, then judged by its rules."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from storeprof.collect.tool_process import run_tool
from storeprof.compare.comparison import compare
from storeprof.compare.drift import crowded_of
from storeprof.compare.gate import CANNOT_TELL, REGRESSED, Outcome, judge
from storeprof.compare.gate_rules import Rules, read_rules, rules_from
from storeprof.compare.judgement import Thresholds
from storeprof.duel.baselines import FOLDER, load
from storeprof.duel.sides import side_of, values_of_side
from storeprof.errors import StoreprofError, UsageError
from storeprof.pytest_plugin import CHILD, WINDOW_FILE
from storeprof.recording.model import read_meta
from storeprof.session.folder import default_folder

T = TypeVar("T")
LIMIT_S = 3600.0
_TAIL = 4000
_OF_A_MARK = {"operations", "rules", "against"}


def run_recorded(item: pytest.Function, mark: pytest.Mark) -> list[str]:
    """Record the test and apply its rules; returns lines for the summary.

    Fails the test when its mark can't be used, when it fails in its process, when a rule regressed, and with
    --storeprof-strict when one can't be told. Skips it when it was skipped there.
    """
    root = item.config.rootpath
    rules = _usable(lambda: _rules(mark, root))
    folder = root / item.config.getoption("--storeprof-dir") / default_folder(_label(item)).name
    done = run_tool(_command(item, mark, folder), timeout_s=LIMIT_S, env=_environment(folder), cwd=root)
    if done.status:
        output = (done.stdout + done.stderr).decode(errors="replace")[-_TAIL:]
        pytest.fail(f"failed in its own process under storeprof (status {done.status}):\n{output}", pytrace=False)
    skipped = _skipped(folder)
    if skipped is not None:
        pytest.skip(skipped)
    outcomes = _usable(lambda: _outcomes(rules, root, folder))
    lines = [*_not_timed(folder), *(f"  {one.status}: {one.rule.words}: {one.reason}" for one in outcomes)]
    bad = [REGRESSED] + ([CANNOT_TELL] if item.config.getoption("--storeprof-strict") else [])
    if any(one.status in bad for one in outcomes):
        pytest.fail("\n".join([f"storeprof gate, recording {folder}", *lines]), pytrace=False)
    return [f"{item.nodeid}: recording {folder}", *lines]


def _usable(made: Callable[[], T]) -> T:
    """What it makes; fails the test with one line where something named can't be used."""
    try:
        return made()
    except StoreprofError as error:
        said = str(error)
    pytest.fail(f"storeprof: {said}", pytrace=False)  # outside, or pytest shows both exceptions


def _not_timed(folder: Path) -> list[str]:
    """Functions of the mark that could not be timed, and why: rules on them can't be told."""
    asked = read_meta(folder).get("operations_asked") or []
    return [f"  not timed: {row['name']}: {row['reason']}; {row['remedy']}" for row in asked if row["reason"]]


def _command(item: pytest.Function, mark: pytest.Mark, folder: Path) -> list[str]:
    named = [word for name in mark.kwargs.get("operations", ()) for word in ("--operation", name)]
    config = ["-c", str(item.config.inipath)] if item.config.inipath else []
    # A test that is expected to fail has to fail there, to be seen to.
    test = ["-m", "pytest", "-q", "-s", "--runxfail", "-p", "no:cacheprovider"]
    test += ["--rootdir", str(item.config.rootpath), *config]
    return [
        sys.executable, "-m", "storeprof", "record", "--out", str(folder), *named, "--",
        sys.executable, *test, item.nodeid,
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    return {CHILD: "1", WINDOW_FILE: str(folder.absolute() / "window.json")}


def _label(item: pytest.Function) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", item.name)


def _skipped(folder: Path) -> str | None:
    """Why the test skipped itself; None when it did not."""
    try:
        found = json.loads((folder / "window.json").read_text(encoding="utf-8")).get("skipped")
    except (OSError, ValueError):
        return None
    return None if found is None else str(found)


def _outcomes(rules: Rules | None, root: Path, folder: Path) -> list[Outcome]:
    """An outcome per rule; none where the mark has no rules and pyproject.toml no gate."""
    if rules is None:
        return []
    side = side_of(folder)
    rows: list[dict[str, Any]] = []
    if rules.against and rules.keys:
        baseline, _ = load(rules.against, root / FOLDER)
        rows = compare(baseline, side, Thresholds(rules.alpha), only=rules.keys)["metrics"]
    why = side.about.get("not_counted")
    values, beside = values_of_side(side), crowded_of(side)
    return judge(rules, rows, values, len(side.runs), measured=False, not_counted=why, crowded=beside)


def _rules(mark: pytest.Mark, root: Path) -> Rules | None:
    unknown = [*map(repr, mark.args), *sorted(set(mark.kwargs) - _OF_A_MARK)]
    if unknown:
        raise UsageError(f"mark storeprof does not know {unknown[0]}; it knows {', '.join(sorted(_OF_A_MARK))}")
    if "rules" in mark.kwargs:
        rules = mark.kwargs["rules"]
        table = {"rules": list(rules) if isinstance(rules, tuple) else rules}
        if mark.kwargs.get("against"):
            table["against"] = mark.kwargs["against"]
        return rules_from(table, "mark storeprof")
    path = root / "pyproject.toml"
    if not path.exists() or "tool.storeprof.gate" not in path.read_text(encoding="utf-8"):
        return None
    return read_rules(path)
