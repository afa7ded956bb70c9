"""Planted causes in programs of several processes: the place is named in whichever process it lies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from recordings import findings, storeprof

CASES = Path(__file__).parents[2] / "benchmarks" / "accuracy" / "cases"


def recorded(folder: Path, case: str, seconds: float = 5, **environment: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Record a planted program in a copy of its folder; returns its truth and the findings document."""
    place = folder / "accuracy" / "cases" / case
    shutil.copytree(CASES / case, place)
    shutil.copytree(CASES.parent / "parts", folder / "accuracy" / "parts")
    told = tomllib.loads((place / "case.toml").read_text(encoding="utf-8"))
    if "build" in told:
        subprocess.run(told["build"], shell=True, check=True, cwd=place, timeout=120)
    command = [sys.executable if word == "python3" else word for word in told["command"]]
    out = folder / "recording"
    done = storeprof("record", "--out", out, "--", *command, cwd=place, RUN_SECONDS=str(seconds), **environment)
    assert done.status == 0, done.stderr
    return told["truth"], findings(folder)


def says(finding: dict[str, Any], truth: dict[str, Any]) -> bool:
    """Whether a finding is of a true kind and names a true place."""
    where = finding["where"]
    named = (where["function"], f"{where['file']}:{where['line']}", where["resource"])
    places = [str(name) for name in named if name]
    return finding["kind"] in truth["kind"] and any(
        re.search(pattern, place) for pattern in truth["where_any"] for place in places
    )


@pytest.mark.parametrize(
    ("case", "method"),
    [
        ("40-py-shard-workers", "fork"),
        ("40-py-shard-workers", "spawn"),
        ("41-py-pipe-encoder", "fork"),
        ("43-py-cpp-indexer", "fork"),
    ],
)
def test_the_cause_in_a_child_is_named_first(tmp_path: Path, case: str, method: str) -> None:
    """The first finding is the planted cause, with the share it has by construction."""
    truth, document = recorded(tmp_path, case, START_METHOD=method)
    assert document["verdict"] == "bottleneck", document["summary"]
    first = document["findings"][0]
    assert says(first, truth), first
    low, high = truth.get("share_range_by_kind", {}).get(first["kind"], truth["share_range"])
    assert first["share_ci"][0] <= high
    assert first["share_ci"][1] >= low - 0.1


def test_a_wait_for_a_child_names_what_the_child_did(tmp_path: Path) -> None:
    """A parent blocked on a pipe is a dependency-wait whose other side is the child's function."""
    _, document = recorded(tmp_path, "41-py-pipe-encoder")
    wait = next(row for row in document["findings"] if row["kind"] == "dependency-wait")
    assert wait["holders"][0]["function"] == "encoder.squeeze"
    assert any("Encoder.receive" in line for line in (*wait["evidence"], wait["where"]["function"]))


@pytest.mark.parametrize(
    ("case", "method"),
    [("42-py-idle-pool", "fork"), ("42-py-idle-pool", "forkserver"), ("44-py-shard-processes", "spawn")],
)
def test_healthy_processes_get_no_bottleneck(tmp_path: Path, case: str, method: str) -> None:
    """Workers that wait for work are idle, and balanced costs over several processes stay balanced."""
    _, document = recorded(tmp_path, case, START_METHOD=method)
    own = [row for row in document["findings"] if row["kind"] != "cpu-starvation"]  # of other programs on this machine
    assert [row for row in own if row["severity"] == "bottleneck"] == []
    assert document["wall_time"]["dependency"] < 0.1
    assert document["wall_time"]["lock"] < 0.1
