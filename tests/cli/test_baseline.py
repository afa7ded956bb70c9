"""`analyze --baseline FILE`: the figures of a recording as a page to keep."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recordings import PLANTED, storeprof


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short recording of a healthy program."""
    folder = tmp_path_factory.mktemp("baseline") / "recording"
    program = (sys.executable, PLANTED / "healthy.py")
    done = storeprof("record", "--no-perf", "--out", folder, "--", *program, RUN_SECONDS="3")
    assert done.status == 0, done.stderr
    return folder


def test_a_baseline_has_all_that_a_later_one_is_read_beside(recording: Path, tmp_path: Path) -> None:
    """Machine, command, versions, figures with intervals, wall time, and what was looked at and what was not."""
    page = tmp_path / "BASELINE.md"
    done = storeprof("analyze", recording, "--baseline", page)
    assert done.status == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    for words in (
        "# Baseline of",
        "healthy.py",
        "kernel",
        "by storeprof",
        "operations per second",
        "## Busy wall time",
    ):
        assert words in text, words
    assert "| memory-leak |" in text
    assert "95 % interval" in text
    assert [path.name for path in tmp_path.iterdir()] == ["BASELINE.md"]


def test_an_older_baseline_is_replaced_and_nothing_else(recording: Path, tmp_path: Path) -> None:
    """A file that is no baseline of ours stays as it is: status 2 and one line."""
    page, notes = tmp_path / "BASELINE.md", tmp_path / "notes.md"
    notes.write_text("# mine\n", encoding="utf-8")
    assert storeprof("analyze", recording, "--baseline", page).status == 0
    assert storeprof("analyze", recording, "--baseline", page).status == 0
    done = storeprof("analyze", recording, "--baseline", notes)
    assert done.status == 2
    assert done.stderr.count("\n") == 1
    assert notes.read_text(encoding="utf-8") == "# mine\n"
    assert storeprof("analyze", recording, "--baseline", tmp_path / "no" / "folder.md").status == 2


def test_a_target_is_judged_in_the_summary(recording: Path) -> None:
    """What is asked for on the command line is answered there."""
    assert "is missed" in storeprof("analyze", recording, "--target", "1000M/s").stdout
    assert "is met" in storeprof("report", recording, "--target", "1/s").stdout
