"""A quick subset of the planted programs: causes are named first, with place and size; healthy ones are left alone.

All of them are scored by `make bench-accuracy`; here are those that show their cause within a few seconds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from accuracy.judging import CROWDED, judge
from accuracy.planted import CASES, Case, find
from accuracy.running import Outside, prepare, sync_latency

from recordings import findings, record

PLANTED = {
    "08-cpp-template-codec": 4.0,
    "10-py-lock-flush": 4.0,
    "12-cpp-mutex-roll": 4.0,
    "15-py-gil-compactor": 4.0,
    "16-py-wal-sync": 4.0,
    "22-cpp-unacknowledged": 8.0,
    "27-cpp-node-per-entry": 4.0,
    "51-cpp-replica-ack": 6.0,
    "53-py-single-flusher": 4.0,
    "56-py-retry-backoff": 4.0,
    "58-cpp-too-many-threads": 4.0,
    "72-py-packs-in-main": 6.0,
}
HEALTHY = [
    "62-healthy-slack-flush",
    "63-healthy-main-loop",
    "66-healthy-cpp-balanced",
    "70-py-generator-stages-healthy",
]
SYNCS_COST_NOTHING = 50e-6
CPU_KINDS = {"cpu-hotspot", "cpu-starvation"}


def case_of(name: str) -> Case:
    """The case of this very name."""
    (case,) = find(CASES, [name])
    return case


def run(case: Case, folder: Path, seconds: float) -> tuple[dict[str, Any], float]:
    """The findings document of one recording of a case, and how many CPUs other programs took meanwhile."""
    prepared, outside = prepare(case, folder, sys.executable, seconds), Outside()
    done = record(folder, *prepared.command, seconds=seconds, cwd=prepared.folder)
    assert done.status == 0, done.stderr
    return findings(folder), outside.cpus()


def waits_have_stacks(folder: Path) -> bool:
    """Whether perf was permitted to record the stacks of native threads that block."""
    meta = json.loads((folder / "recording" / "recording.json").read_text())
    return "switches" in meta["collectors"][0]["abilities"]


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_cause_is_named_first_with_its_place_and_size(tmp_path: Path, name: str) -> None:
    """The planted kind at the planted place stands first, as a bottleneck, with the share it has by construction."""
    case = case_of(name)
    document, outside = run(case, tmp_path, PLANTED[name])
    if "disk-dependent" in case.tags and sync_latency(tmp_path) < SYNCS_COST_NOTHING:
        assert not [one for one in document["findings"] if one["kind"] == "io-wait" and one["severity"] == "bottleneck"]
        return
    judged = judge(case, document, None, outside)
    native_wait = case.language == "cpp" and CPU_KINDS.isdisjoint(case.truth.kinds)
    # An ordinary user is told of a native wait, but not where it is.
    rank = judged.kind_rank if native_wait and not waits_have_stacks(tmp_path) else judged.rank
    assert rank == 1, judged.findings
    if case.truth.kinds == ("cpu-starvation",) and outside > CROWDED:
        return  # other programs had the CPUs: whether this one lacks them can't be told
    assert document["verdict"] == "bottleneck", document["summary"]
    span, found = case.truth.share_of(case.truth.kinds[0]), document["findings"][0]
    if span is not None and judged.share_error is not None:
        assert found["share_ci"][0] <= span[1]
        assert found["share_ci"][1] >= span[0]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_gets_no_bottleneck(tmp_path: Path, name: str) -> None:
    """On a program that only looks suspicious no finding is a bottleneck, and the verdict says so."""
    document, outside = run(case_of(name), tmp_path, 4)
    assert [one for one in document["findings"] if one["severity"] == "bottleneck"] == []
    assert document["verdict"] == "no-bottleneck" or outside > CROWDED, document["summary"]
