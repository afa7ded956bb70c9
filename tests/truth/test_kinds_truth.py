"""Planted collections, faults, wake-ups, growing costs and spins are named as case.toml says; look-alikes are not."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from accuracy.calibration import measure
from accuracy.planted import load
from accuracy.running import prepare

from recordings import build, findings, record

CASES = Path(__file__).parents[2] / "benchmarks" / "accuracy" / "cases"
# Runs long enough for six counts of operations where the cost has to be seen growing.
PLANTED = {
    "30-py-gc-container-rows": 4,
    "32-cpp-mapped-flush-buffers": 4,
    "34-py-pipe-byte-per-record": 4,
    "36-py-catalogue-scan-probes": 8,
    "37-cpp-run-list-copy": 8,
}
LOOK_ALIKES = {"38-py-batched-queue-healthy": 4, "39-py-levelling-cost-healthy": 8}
KINDS = {"gc-pressure", "page-faults", "chatty-wakeups", "growing-cost"}


def analyzed(folder: Path, case: str, seconds: float, *options: str) -> dict[str, Any]:
    """The findings document of one planted program."""
    main = CASES / case / "main.py"
    command = (sys.executable, main) if main.exists() else (build(folder, CASES / case / "main.cpp"),)
    done = record(folder, *command, seconds=seconds, options=options)
    assert done.status == 0, done.stderr
    return findings(folder)


def sees_kernel_frames(folder: Path) -> bool:
    """Whether perf was permitted to record the kernel's part of stacks."""
    meta = json.loads((folder / "recording" / "recording.json").read_text())
    return any("kernel" in row.get("abilities", ()) for row in meta["collectors"])


def share_here(folder: Path, case: str) -> tuple[float, float]:
    """The range of the true share on this machine: written down, or measured now where machines differ much."""
    told = load(CASES / case)
    speedup = measure(prepare(told, folder / "truth", seconds=2), 1)["speedup"] if told.truth.saves_share else None
    span = told.truth.share_of(told.truth.kinds[0], speedup)
    assert span is not None
    return span


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_cause_of_these_kinds_is_named(tmp_path: Path, case: str) -> None:
    """The kind of the case stands among the bottlenecks, at its place, with an interval that meets its share."""
    truth = tomllib.loads((CASES / case / "case.toml").read_text())["truth"]
    document = analyzed(tmp_path, case, PLANTED[case])
    found = [row for row in document["findings"] if row["kind"] in truth["kind"]]
    assert found, document["summary"]
    low, high = share_here(tmp_path, case)
    assert found[0]["share_ci"][0] <= high
    assert found[0]["share_ci"][1] >= low
    if sees_kernel_frames(tmp_path) or case.split("-")[1] == "py":
        places = found[0]["where"]["function"] or ""
        assert any(re.search(pattern, places) for pattern in truth["where_any"]), found[0]
    if sees_kernel_frames(tmp_path):
        assert found[0]["severity"] == "bottleneck"


def test_a_latch_that_yields_is_a_lock(tmp_path: Path) -> None:
    """Threads that give the CPU away until a latch is free wait for it; `sched_yield` is no CPU hotspot.

    How much of it is CPU time and how much a turn in the run queue depends on who else runs: no size is asked for.
    """
    document = analyzed(tmp_path, "78-cpp-yield-latch", 3)
    kinds = {row["kind"] for row in document["findings"] if "Latch::enter" in (row["where"]["function"] or "")}
    assert "lock-contention" in kinds
    assert "cpu-hotspot" not in kinds


@pytest.mark.parametrize("case", LOOK_ALIKES)
def test_a_look_alike_is_none_of_these_kinds(tmp_path: Path, case: str) -> None:
    """Batched hand-offs, cheap collections and a cost that levels off are no bottleneck."""
    document = analyzed(tmp_path, case, LOOK_ALIKES[case])
    assert [row for row in document["findings"] if row["severity"] == "bottleneck"] == []
    assert not [row for row in document["findings"] if row["kind"] in KINDS - {"page-faults"}]


def test_without_kernel_frames_faults_and_switches_are_counted(tmp_path: Path) -> None:
    """Counts times their price give a share whose wide interval meets the truth, and coverage says so."""
    case = "34-py-pipe-byte-per-record"
    truth = tomllib.loads((CASES / case / "case.toml").read_text())["truth"]
    document = analyzed(tmp_path, case, 4, "--no-perf")
    found = next(row for row in document["findings"] if row["kind"] == "chatty-wakeups")
    assert found["share_ci"][0] <= truth["share_range"][1]
    assert found["share_ci"][1] >= truth["share_range"][0]
    rows = {row["kind"]: row for row in document["coverage"]}
    assert "no kernel frames" in rows["chatty-wakeups"]["reason"]
    assert "no kernel frames" in rows["page-faults"]["reason"]


def test_a_program_that_counts_nothing_is_told_what_would_help(tmp_path: Path) -> None:
    """Without operations over time growing-cost is not checked, and a machine without counters says so."""
    done = record(tmp_path, sys.executable, "-c", "sum(range(30_000_000))")
    assert done.status == 0, done.stderr
    rows = {row["kind"]: row for row in findings(tmp_path)["coverage"]}
    assert not rows["growing-cost"]["checked"]
    assert "--operation" in rows["growing-cost"]["remedy"]
    assert not rows["cache-misses"]["checked"]
    assert rows["cache-misses"]["reason"]
    assert rows["gc-pressure"]["checked"]
