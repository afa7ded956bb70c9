"""compare, baseline and gate from the command line, on recordings of a program and its slower twin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from recordings import in_process, record

PROGRAM = """
import sys, time

def encode(rounds):
    x = 1
    for _ in range(rounds):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    return x

def flush(seconds):
    time.sleep(seconds)

end, ops, start = time.monotonic() + float(sys.argv[2]), 0, time.monotonic()
while time.monotonic() < end:
    encode(20000)
    flush(float(sys.argv[1]))
    ops += 1
print(f"ops={ops} seconds={time.monotonic() - start}")
"""
RULES = """
[tool.storeprof.gate]
against = "main"
[[tool.storeprof.gate.rules]]
metric = "throughput"
max_regression_percent = 200
[[tool.storeprof.gate.rules]]
metric = "read_bytes_per_operation"
at_most = 1000
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two recordings: `fast/recording`, and `slow/recording` whose flush waits longer."""
    place = tmp_path_factory.mktemp("compared")
    (place / "engine.py").write_text(PROGRAM, encoding="utf-8")
    for name, pause in (("fast", "0.0002"), ("slow", "0.01")):
        (place / name).mkdir()
        done = record(place / name, "python3", place / "engine.py", pause, "2.5", options=("--no-perf",))
        assert done.status == 0, done.stderr
    yield place


def compared(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """The comparison document."""
    done = in_process("compare", *arguments, "--json", cwd=folder)
    assert done.status == 0, done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def test_what_became_slower_is_found_and_placed(folder: Path) -> None:
    """Throughput and time per operation regress, and the function that waits makes up the change."""
    document = compared(folder, "fast/recording", "slow/recording")
    assert document["verdict"] == "regressed"
    rows = {row["name"]: row for row in document["metrics"] if row["operation"] is None}
    assert rows["throughput"]["ratio"] < 0.6
    assert rows["busy_wall_per_operation"]["ratio"] > 1.5  # surely, where no other programs want the CPUs
    top = document["explanation"][0]
    assert (top["where"]["category"], top["where"]["function"]) == ("sleep", "engine.flush")
    assert 0.7 < top["share_of_change"] < 1.3
    shares = sum(row["share_of_change"] for row in document["explanation"])
    assert abs(shares + document["unexplained_share"] - 1) < 0.01
    assert any("the commands differ" in warning for warning in document["warnings"])


def test_the_gain_of_a_fix_stands_beside_its_prediction(folder: Path) -> None:
    """From slow to fast most of the wait is gone: what was predicted for that, and what came true."""
    document = compared(folder, "slow/recording", "fast/recording")
    assert document["verdict"] == "improved"
    (row,) = [row for row in document["predictions"] if row["kind"] == "sleep-wait"]
    assert row["removed_share"] > 0.6
    # How near they come depends on who else wants the CPUs: the one is of the waits, the other of all that is measured.
    assert row["predicted_ci"][0] <= row["predicted_speedup"] <= row["predicted_ci"][1]
    assert row["predicted_speedup"] > 1.5
    assert row["realised_speedup"] > 2
    report = in_process("compare", "slow/recording", "fast/recording", cwd=folder)
    for words in ("IMPROVED", "came true", "everything else", "can't settle small effects"):
        assert words in report.stdout


def test_a_baseline_is_kept_and_gated_against(folder: Path) -> None:
    """`baseline save`, `compare --against` and `gate`: 1 for the slow one, 0 for the fast one, JUnit and Markdown."""
    assert in_process("baseline", "save", "main", "fast/recording", cwd=folder).status == 0
    assert "main" in in_process("baseline", "list", cwd=folder).stdout
    assert compared(folder, "--against", "main", "slow/recording")["verdict"] == "regressed"
    (folder / "pyproject.toml").write_text(RULES, encoding="utf-8")
    slow = in_process("gate", "slow/recording", "--junit", "gate.xml", "--markdown", "gate.md", cwd=folder)
    assert slow.status == 1, slow.stdout + slow.stderr
    assert "REGRESSED   throughput: at most 200 % worse" in slow.stdout
    (suite,) = ElementTree.parse(folder / "gate.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    assert "| throughput: at most 200 % worse | REGRESSED |" in (folder / "gate.md").read_text(encoding="utf-8")
    assert in_process("gate", "fast/recording", cwd=folder).status == 0


def test_a_gate_on_a_missing_counter_exits_3(folder: Path) -> None:
    """Nobody counted fsyncs here: that is no pass."""
    rules = '[[tool.storeprof.gate.rules]]\nmetric = "fsyncs_per_operation"\nat_most = 0.01\n'
    (folder / "fsyncs.toml").write_text(rules, encoding="utf-8")
    done = in_process("gate", "fast/recording", "--config", "fsyncs.toml", cwd=folder)
    assert done.status == 3
    assert "can't tell" in done.stdout


@pytest.mark.parametrize(("part", "value"), [("ratio", "1.2"), ("ci", None), ("candidate", "5"), ("better", ...)])
def test_an_edited_comparison_is_refused(folder: Path, part: str, value: object) -> None:
    """Status 2 and a line: a traceback has status 1, which a gate's caller takes for "regressed"."""
    document = compared(folder, "fast/recording", "slow/recording")
    row = next(row for row in document["metrics"] if row["ratio"] is not None)
    row |= {part: value}
    if value is ...:
        del row[part]
    (folder / "edited.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "pyproject.toml").write_text(RULES, encoding="utf-8")
    done = in_process("gate", "--comparison", "edited.json", cwd=folder)
    assert (done.status, "is no comparison document" in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_misuse_is_one_line(folder: Path) -> None:
    """Status 2 and what to do instead."""
    for arguments, what in (
        (("compare", "fast/recording"), "name two recordings"),
        (("compare", "fast/recording", "nowhere"), "no such recording"),
        (("compare", "--against", "nobody", "fast/recording"), "no baseline 'nobody'"),
        (("baseline", "save"), "name the baseline"),
        (("gate", "--config", "none.toml"), "can't be read"),
        (("gate", "--comparison", "engine.py", "--config", "fsyncs.toml"), "is no comparison document"),
    ):
        done = in_process(*arguments, cwd=folder)
        assert (done.status, what in done.stderr, done.stderr.count("\n")) == (2, True, 1), (arguments, done.stderr)
