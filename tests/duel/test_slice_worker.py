"""The slice protocol: its line, and workers that keep to it or don't."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from recordings import PROGRAMS
from storeprof.collect.slice_worker import SliceWorker, parse_slice
from storeprof.errors import CollectorError

WORKER = [sys.executable, str(PROGRAMS / "slices" / "worker.py")]


def test_a_line_says_what_was_done() -> None:
    """Operations and seconds, CPU time when stated, latencies and counts by name."""
    one = parse_slice("did ops=3 seconds=0.5 cpu=0.25 latency.put=10,20 latency.get=5 count.fsyncs=2")
    assert (one.ops, one.seconds, one.cpu_s, one.counts) == (3, 0.5, 0.25, {"fsyncs": 2.0})
    assert {name: list(values) for name, values in one.latency_ns.items()} == {"put": [10, 20], "get": [5]}
    assert parse_slice("did ops=1 seconds=1").cpu_s is None


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("done ops=1 seconds=1", "a slice ends with"),
        ("did ops=1", "needs ops=N and seconds=S"),
        ("did ops=0 seconds=1", "needs ops=N and seconds=S"),
        ("did ops=1 seconds=1 latency.put=1,x", "is no number"),
        ("did ops=1 seconds=nan", "'seconds=nan' in the line of a slice is no number"),
        ("did ops=inf seconds=1", "'ops=inf' in the line of a slice is no number"),
        ("did ops=1 seconds=1 latency.put=1,nan", "is no number"),
    ],
)
def test_a_line_that_can_not_be_read_is_named(line: str, what: str) -> None:
    """Nothing is guessed: the part that is wrong is in the message."""
    with pytest.raises(CollectorError, match=what):
        parse_slice(line)


def test_equal_seeds_are_equal_operations(tmp_path: Path) -> None:
    """A worker does what it is told, as often as it is told, and ends when its input does."""
    worker = SliceWorker([*WORKER, str(tmp_path)], tmp_path / "stderr")
    slices = [worker.run(50, 7) for _ in range(3)]
    worker.close()
    assert [one.ops for one in slices] == [50, 50, 50]
    heavy = [np.argsort(one.latency_ns["put"])[-1:] for one in slices]
    assert len(heavy) == 3
    assert (tmp_path / "log").stat().st_size == 3 * 50 * 64


def test_a_worker_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    """Status and last line of standard error, in one line."""
    worker = SliceWorker([*WORKER, str(tmp_path)], tmp_path / "stderr", env={"DIE_AFTER": "3"})
    worker.run(10, 1)
    with pytest.raises(CollectorError, match=r"ended with status 1 .* out of luck"):
        worker.run(10, 3)
    worker.kill()


def test_a_program_that_speaks_no_protocol_is_refused(tmp_path: Path) -> None:
    """What ends without saying ready, and what says nothing, are each one line."""
    with pytest.raises(CollectorError, match="does it speak the slice protocol"):
        SliceWorker(["true"], tmp_path / "stderr")
    with pytest.raises(CollectorError, match="was silent"):
        SliceWorker(["sleep", "60"], tmp_path / "stderr", timeout_s=0.2)
    with pytest.raises(CollectorError, match="could not be started"):
        SliceWorker(["/no/such/worker"], tmp_path / "stderr")
