"""One marked test: recorded in a process of its own, then judged by its rules."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from storeprof.collect.tool_process import run_tool
from storeprof.compare.comparison import compare
from storeprof.compare.gate import CANNOT_TELL, REGRESSED, Outcome, judge
from storeprof.compare.gate_rules import Rules, read_rules, rules_from
from storeprof.compare.judgement import Thresholds
from storeprof.duel.baselines import FOLDER, load
from storeprof.duel.sides import side_of, values_of_side
from storeprof.errors import StoreprofError
from storeprof.pytest_plugin import CHILD, WINDOW_FILE
from storeprof.session.folder import default_folder

LIMIT_S = 3600.0
_TAIL = 4000


def run_recorded(item: pytest.Function, mark: pytest.Mark) -> list[str]:
    """Record the test and apply its rules; returns lines for the summary.

    Fails the test when it fails in its process, when a rule regressed, and with --storeprof-strict when one can't be
    told.
    """
    root = item.config.rootpath
    folder = root / item.config.getoption("--storeprof-dir") / default_folder(_label(item)).name
    done = run_tool(_command(item, mark, folder), timeout_s=LIMIT_S, env=_environment(folder), cwd=root)
    if done.status:
        output = (done.stdout + done.stderr).decode(errors="replace")[-_TAIL:]
        pytest.fail(f"failed in its own process under storeprof (status {done.status}):\n{output}", pytrace=False)
    try:
        outcomes = _outcomes(mark, root, folder)
    except StoreprofError as error:
        pytest.fail(f"storeprof: {error}", pytrace=False)
    lines = [f"  {one.status}: {one.rule.words}: {one.reason}" for one in outcomes]
    bad = [REGRESSED] + ([CANNOT_TELL] if item.config.getoption("--storeprof-strict") else [])
    if any(one.status in bad for one in outcomes):
        pytest.fail("\n".join([f"storeprof gate, recording {folder}", *lines]), pytrace=False)
    return [f"{item.nodeid}: recording {folder}", *lines]


def _command(item: pytest.Function, mark: pytest.Mark, folder: Path) -> list[str]:
    named = [word for name in mark.kwargs.get("operations", ()) for word in ("--operation", name)]
    config = ["-c", str(item.config.inipath)] if item.config.inipath else []
    test = ["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--rootdir", str(item.config.rootpath), *config]
    return [
        sys.executable, "-m", "storeprof", "record", "--out", str(folder), *named, "--",
        sys.executable, *test, item.nodeid,
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    return {CHILD: "1", WINDOW_FILE: str(folder.absolute() / "window.json")}


def _label(item: pytest.Function) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", item.name)


def _outcomes(mark: pytest.Mark, root: Path, folder: Path) -> list[Outcome]:
    """An outcome per rule; none where the mark has no rules and pyproject.toml no gate."""
    rules = _rules(mark, root)
    if rules is None:
        return []
    side = side_of(folder)
    rows: list[dict[str, Any]] = []
    if rules.against and rules.keys:
        baseline, _ = load(rules.against, root / FOLDER)
        rows = compare(baseline, side, Thresholds(rules.alpha), only=rules.keys)["metrics"]
    why = side.about.get("not_counted")
    return judge(rules, rows, values_of_side(side), len(side.runs), measured=False, not_counted=why)


def _rules(mark: pytest.Mark, root: Path) -> Rules | None:
    if "rules" in mark.kwargs:
        table = {"rules": list(mark.kwargs["rules"])}
        if mark.kwargs.get("against"):
            table["against"] = mark.kwargs["against"]
        return rules_from(table, "mark storeprof")
    path = root / "pyproject.toml"
    if not path.exists() or "tool.storeprof.gate" not in path.read_text(encoding="utf-8"):
        return None
    return read_rules(path)
