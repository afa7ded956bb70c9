"""What can't be seen is said: no clean bill on guesswork."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from recordings import PLANTED, build, findings, record

WITHOUT_PERF = ("--no-perf",)


def row(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """The coverage of one kind."""
    found = next(one for one in document["coverage"] if one["kind"] == kind)
    assert isinstance(found, dict)
    return found


def test_native_code_without_perf_is_inconclusive(tmp_path: Path) -> None:
    """A C++ program whose functions nobody could see is not called healthy, and the reason and remedy are named."""
    program = build(tmp_path, PLANTED / "hotspot.cpp")
    assert record(tmp_path, program, seconds=3, options=WITHOUT_PERF).status == 0
    document = findings(tmp_path)
    assert document["verdict"] == "inconclusive"
    cpu = row(document, "cpu-hotspot")
    assert not cpu["checked"]
    assert "--no-perf" in cpu["reason"]
    assert cpu["remedy"]
    assert document["functions"] == []


def test_a_python_caller_is_named_without_perf(tmp_path: Path) -> None:
    """Native time under Python is charged to the Python function that called, and coverage says what is missing."""
    assert record(tmp_path, sys.executable, PLANTED / "native_hotspot.py", seconds=3, options=WITHOUT_PERF).status == 0
    document = findings(tmp_path)
    assert document["findings"][0]["where"]["function"] == "native_hotspot.pack"
    cpu = row(document, "cpu-hotspot")
    assert cpu["checked"]
    assert "native functions are not told apart" in cpu["reason"]


def test_every_kind_has_its_row(tmp_path: Path) -> None:
    """Each kind of the contract is either checked or says why not."""
    assert record(tmp_path, sys.executable, PLANTED / "healthy.py", seconds=2.5).status == 0
    document = findings(tmp_path)
    assert len({one["kind"] for one in document["coverage"]}) == 16
    assert all(one["checked"] or one["reason"] for one in document["coverage"])


def test_a_program_that_ends_at_once_is_too_short_to_judge(tmp_path: Path) -> None:
    """Too little data is inconclusive, and says what would be enough."""
    assert record(tmp_path, "true", options=WITHOUT_PERF).status == 0
    document = findings(tmp_path)
    assert document["verdict"] == "inconclusive"
    assert "too short" in document["summary"]
    assert re.search(r"record for \d+ s or longer", document["summary"])
