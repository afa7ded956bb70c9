"""Programs whose cause is known by construction: kind, place and share are named, healthy ones left alone."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from recordings import PLANTED, build, findings, record


@dataclass(frozen=True)
class Truth:
    """A planted cause: the program, the kind, a pattern for its place, and the share it has by construction."""

    program: str
    kind: str
    place: str
    share: tuple[float, float]
    seconds: float = 4


# Shares are of CPU time for cpu-hotspot and of busy wall for waits. They were measured by timing the planted part
# inside the program; the ranges leave room for a machine that others use at the same time.
PLANTS = [
    Truth("hotspot.py", "cpu-hotspot", r"hotspot\.parity", (0.30, 0.65)),
    Truth(
        "native_hotspot.py", "cpu-hotspot", r"native_hotspot\.pack > (zlib_compress|deflate)", (0.35, 0.75), seconds=8
    ),
    Truth("lock.py", "lock-contention", r"lock\.SharedStore\.put", (0.20, 0.75)),
    Truth("gil.py", "gil-contention", r"gil\.compact|engine_parts", (0.25, 0.60)),
    Truth("queue_full.py", "dependency-wait", r"queue_full\.store_block", (0.25, 0.60)),
    Truth("retry.py", "sleep-wait", r"retry\.Buffer\.wait_for_room", (0.25, 0.80)),
    Truth("starved.py", "cpu-starvation", r"starved\.seal", (0.40, 0.90)),
    Truth("hotspot.cpp", "cpu-hotspot", r"store::checksum", (0.85, 1.0)),
    Truth("mutex.cpp", "lock-contention", r"MemTable::insert|^main", (0.15, 0.60)),
]
HEALTHY = ["healthy.py", "healthy_paced.py"]


def start(folder: Path, program: str) -> tuple[str | Path, ...]:
    """The command of a planted program, built first where needed."""
    if program.endswith(".cpp"):
        return (build(folder, PLANTED / program),)
    return (sys.executable, PLANTED / program)


def waits_have_stacks(folder: Path) -> bool:
    """Whether perf was permitted to record the stacks of native threads that block."""
    meta = json.loads((folder / "recording" / "recording.json").read_text())
    return "switches" in meta["collectors"][0]["abilities"]


@pytest.mark.parametrize("truth", PLANTS, ids=lambda truth: truth.program)
def test_a_planted_cause_is_named_with_its_place_and_share(tmp_path: Path, truth: Truth) -> None:
    """The planted kind is found at the planted place with the share it has by construction."""
    done = record(tmp_path, *start(tmp_path, truth.program), seconds=truth.seconds)
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    found = [row for row in document["findings"] if row["kind"] == truth.kind]
    assert found, document["summary"]
    if truth.program == "mutex.cpp" and not waits_have_stacks(tmp_path):
        assert found[0]["where"]["function"] is None  # an ordinary user sees the wait, not its native place
    else:
        assert re.search(truth.place, found[0]["where"]["function"] or ""), found[0]
    low, high = truth.share
    assert found[0]["share_ci"][0] <= high
    assert found[0]["share_ci"][1] >= low
    expected = "bottleneck"
    if truth.kind == "cpu-starvation" and document["metrics"]["cpu_percent"] < 80 * len(os.sched_getaffinity(0)):
        expected = "inconclusive"  # other programs took the CPUs: not this one's doing
    assert document["verdict"] == expected, document["summary"]


def test_a_sync_per_record_is_io_wait_at_the_sync(tmp_path: Path) -> None:
    """Where the disk is slow enough to matter, fsync per record is io-wait in the function that calls fsync."""
    done = record(tmp_path, sys.executable, PLANTED / "fsync.py")
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    waits = [row for row in document["findings"] if row["kind"] == "io-wait"]
    # On a memory file system fsync costs nothing, and then nothing may be said.
    if document["wall_time"]["io"] >= 0.1:
        assert waits[0]["where"]["function"] == "fsync.Log.sync"
        assert waits[0]["where"]["resource"].endswith("/log")
        assert any("fsync" in line for line in waits[0]["evidence"])
    else:
        assert not [row for row in waits if row["severity"] == "bottleneck"]


@pytest.mark.parametrize("program", HEALTHY)
def test_a_healthy_program_gets_no_bottleneck(tmp_path: Path, program: str) -> None:
    """On a program without a dominating cost no finding is a bottleneck, and the verdict says so."""
    done = record(tmp_path, *start(tmp_path, program))
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    assert [row for row in document["findings"] if row["severity"] == "bottleneck"] == []
    assert document["verdict"] == "no-bottleneck", document["summary"]
