"""`pytest --storeprof`: marked tests run under `storeprof record`, each in a process of its own, and are gated.

Loaded by pytest in every run, so this module imports nothing heavy.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from storeprof.system_calls import SystemCalls, counted_between

CHILD = "STOREPROF_PYTEST_CHILD"
WINDOW_FILE = "STOREPROF_WINDOW_FILE"
_said = pytest.StashKey[list[str]]()
_calls = pytest.StashKey[SystemCalls]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the plugin."""
    group = parser.getgroup("storeprof", "record marked tests and apply gates to them")
    group.addoption("--storeprof", action="store_true", help="record tests marked storeprof, and apply their gates")
    group.addoption(
        "--storeprof-dir",
        default="storeprof-runs",
        metavar="DIR",
        help="where their recordings are kept (default: ./storeprof-runs)",
    )
    group.addoption("--storeprof-strict", action="store_true", help="a rule that can't be told fails the test, too")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, to --strict-markers too."""
    config.addinivalue_line(
        "markers",
        "storeprof(operations=(), rules=None, against=None): with --storeprof, record this test in a process of its "
        "own (operations: functions to time, as MODULE.FUNCTION) and apply the rules, else those of pyproject.toml",
    )
    config.stash[_said] = []
    if CHILD in os.environ:  # before the first thread of a fixture
        config.stash[_calls] = SystemCalls()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """In the parent: record the test instead of calling it. In the recorded process: note when it begins and ends."""
    mark = pyfuncitem.get_closest_marker("storeprof")
    if mark is None or not pyfuncitem.config.getoption("--storeprof"):
        return None
    from storeprof.pytest_plugin.recorded_test import run_recorded

    pyfuncitem.config.stash[_said] += run_recorded(pyfuncitem, mark)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> object:
    """The recorded process measures the test's own call: collection and fixtures lie before the window."""
    window = os.environ.get(WINDOW_FILE) if CHILD in os.environ else None
    if window is None:
        return (yield)
    from storeprof.pytest_plugin.operations import operations_done

    calls = item.config.stash[_calls]
    done_before, start = operations_done(), time.monotonic_ns()
    _write(Path(window), {"start_ns": start})
    before = calls.read()
    skipped: str | None = None
    try:
        return (yield)
    except pytest.skip.Exception as skip:
        skipped = str(skip)
        raise
    finally:
        counted, end = counted_between(before, calls.read()), time.monotonic_ns()
        kinds = operations_done() - done_before
        _write(
            Path(window),
            {
                "start_ns": start, "end_ns": end, "operations": kinds, "counted": counted,
                "not_counted": calls.reason, "skipped": skipped,
            },
        )  # fmt: skip


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was recorded, and what became of each rule."""
    if config.stash[_said]:
        terminalreporter.section("storeprof")
        for line in config.stash[_said]:
            terminalreporter.write_line(line)


def _write(path: Path, values: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(values) + "\n", encoding="utf-8")
    partial.replace(path)
