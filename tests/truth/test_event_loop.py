"""What an event loop waits for is not visible from outside: the verdict says so unless operations are known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recordings import PROGRAMS, findings, record


@pytest.mark.parametrize(("arguments", "verdict"), [((), "inconclusive"), (("--tell",), "no-bottleneck")])
def test_a_waiting_event_loop_needs_known_operations(tmp_path: Path, arguments: tuple[str, ...], verdict: str) -> None:
    """A loop that waits over half the time is undecided until the program says how much it did."""
    done = record(tmp_path, sys.executable, PROGRAMS / "event_loop.py", *arguments)
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    assert document["verdict"] == verdict, document["summary"]
    assert ("event loop" in document["summary"]) == (verdict == "inconclusive")
