"""Which tool fills a group: the first that fits the program and can run here; what it stands in for is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from storeprof.collect.collector import Availability
from storeprof.collect.linux.perf import Perf
from storeprof.collect.pass_tool import GROUPS, Target
from storeprof.collect.python_command import python_command
from storeprof.collect.registry import PREFERENCE, RECORDED, choose, pass_tool, registered

NATIVE = Target(("/bin/true",), program=Path("/bin/true"))
PYTHON = Target((sys.executable, "a.py"), python=python_command([sys.executable, "a.py"]))


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing in it; a test puts tools there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str) -> None:
    """A tool of that name."""
    (folder / name).symlink_to("/usr/bin/true")


def test_every_group_has_a_tool_or_the_timing_run() -> None:
    """No word that --collect takes is without anybody who could fill it, and each tool says what it can fill."""
    assert set(GROUPS) == set(PREFERENCE) | RECORDED
    assert all(group in pass_tool(name).collects for group, names in PREFERENCE.items() for name in names)
    assert len({one.collector.name for one in registered()}) == len(registered())


def test_a_tool_that_stands_in_says_for_whom_and_what_would_get_the_better_one(only: Path) -> None:
    """Where heaptrack is missing massif is taken, with the command that installs heaptrack."""
    put(only, "valgrind")
    put(only, "apt-get")
    (choice,) = choose({"heap"}, NATIVE)
    assert choice.tool is not None
    assert choice.tool.name == "massif"
    assert choice.reason == "stands in for heaptrack (heaptrack is not installed; apt-get install -y heaptrack)"


def test_one_pass_fills_all_groups_that_a_tool_can() -> None:
    """memray runs once for heap and leaks of a Python program."""
    (choice,) = choose({"heap", "leaks"}, PYTHON)
    assert choice.tool is not None
    assert (choice.tool.name, choice.groups) == ("memray", ("heap", "leaks"))


def test_what_nobody_can_fill_has_the_reasons_of_those_that_fit(only: Path) -> None:
    """A group without a tool gets one row, with the ways to get one."""
    put(only, "apt-get")
    (choice,) = choose({"counters"}, NATIVE)
    assert choice.tool is None
    assert choice.reason == "perf-stat: perf is not installed; cachegrind: valgrind is not installed"
    assert choice.remedy == "apt-get install -y linux-perf or apt-get install -y valgrind"


def test_what_one_tool_fills_in_part_the_next_one_fills_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hardware counters perf stat counts what the kernel does, and cachegrind simulates the rest."""

    def found(*abilities: str) -> None:
        monkeypatch.setattr(Perf, "available", lambda *_: Availability(True, abilities=frozenset(abilities)))

    found("cpu")
    first, second = choose({"counters"}, NATIVE)
    assert (first.tool, second.tool) == (pass_tool("perf-stat"), pass_tool("cachegrind"))
    assert first.reason is not None
    assert first.reason.startswith("no hardware counters here")
    assert second.reason is not None
    assert second.reason.startswith("stands in for perf-stat (no hardware counters here")
    (only_one,) = choose({"counters"}, PYTHON)
    assert only_one.tool is pass_tool("perf-stat")
    found("cpu", "counters")
    (whole,) = choose({"counters"}, NATIVE)
    assert (whole.tool, whole.reason) == (pass_tool("perf-stat"), None)


def test_builds_choose_their_own_tools() -> None:
    """A sanitizer's report is taken before other leak checkers; gprof only where the build has -pg."""
    target = Target(("/bin/true",), program=Path("/bin/true"), sanitizer="LeakSanitizer", gprof=True)
    names = {choice.groups: choice.tool.name for choice in choose({"leaks", "cpu"}, target) if choice.tool}
    assert names == {("cpu",): "gprof", ("leaks",): "leak-sanitizer"}
    assert choose({"cpu", "memory"}, NATIVE) == []


def test_of_a_running_process_nobody_can_start_a_pass() -> None:
    """The reason is that it runs already, and not that it is no special build."""
    (choice,) = choose({"leaks"}, Target(pid=1, program=Path("/bin/true")))
    why = "it works on a program that storeprof starts, not on one that runs already"
    assert choice.reason == f"memray, memcheck, heaptrack: {why}"
