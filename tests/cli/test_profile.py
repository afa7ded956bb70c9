"""`storeprof profile`: the main job on the embedded engine, from the command line to the verdict."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from recordings import STOREPROF, findings, storeprof
from storeprof.duel.sides import side_of

WORKLOADS = ["write-heavy", "mixed"]
VERDICTS = ("BOTTLENECK", "NO-BOTTLENECK", "INCONCLUSIVE")


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_engine_is_driven_recorded_and_judged(tmp_path: Path, workload: str) -> None:
    """profile ends with a verdict, the engine's operations with percentiles, and the recording's folder."""
    done = storeprof(
        "profile", "tsdb", "--workload", workload, "--duration", "3", "--out", tmp_path / "recording", cwd=tmp_path
    )
    assert done.status == 0, done.stderr
    assert done.last_line == f"recording: {tmp_path / 'recording'}"
    assert any(line.startswith(VERDICTS) for line in done.stdout.splitlines())
    document = findings(tmp_path)
    names = {row["name"] for row in document["operations"]}
    assert {"StorageImpl.write", "StorageImpl.read"} <= names
    write = next(row for row in document["operations"] if row["name"] == "StorageImpl.write")
    assert write["latency_s"]["p50"] > 0
    assert write["wall_time"] == {} or abs(sum(write["wall_time"].values()) - 1) < 0.01
    assert "\x1b" not in done.stdout + done.stderr


def test_warm_up_is_kept_apart(tmp_path: Path) -> None:
    """The analysed window is the measured one: it begins after the warm-up and has the length asked for."""
    done = storeprof("profile", "tsdb", "--duration", "3", "--no-perf", "--out", tmp_path / "recording")
    assert done.status == 0, done.stderr
    meta = json.loads((tmp_path / "recording" / "recording.json").read_text())
    start, end = meta["window"]
    assert start - meta["started_ns"] > 0.4e9
    assert (end - start) / 1e9 == pytest.approx(3, abs=0.5)
    document = findings(tmp_path)
    assert document["metrics"]["throughput_per_s"] == pytest.approx(
        meta["driven"]["ops"] / ((end - start) / 1e9), rel=1e-3
    )
    counted = sum(row["count"] for row in document["operations"] if row["name"].startswith("StorageImpl."))
    assert counted == pytest.approx(meta["driven"]["ops"], rel=0.5)


def test_calls_per_operation_are_of_the_measured_operations(tmp_path: Path) -> None:
    """Each write appends to the log once: the warm-up is neither in the calls nor in what they are divided by."""
    done = storeprof("profile", "tsdb", "--duration", "3", "--no-perf", "--out", tmp_path / "recording")
    assert done.status == 0, done.stderr
    side = side_of(tmp_path / "recording")
    counted = {row["name"]: row["count"] for row in findings(tmp_path)["operations"]}
    share = counted["StorageImpl.write"] / sum(counted.values())
    assert side.runs[0].values["calls_per_operation", "WriteAheadLog.append"] == pytest.approx(share, rel=0.01)


def test_nothing_but_the_recording_is_left(tmp_path: Path) -> None:
    """The engine's data is gone afterwards, and nothing was written outside the folder named."""
    done = storeprof("profile", "tsdb", "--duration", "2", "--no-perf", "--out", "recording", cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recording"]
    assert not (tmp_path / "recording" / "data").exists()


def test_ctrl_c_ends_the_engine_early_and_keeps_the_recording(tmp_path: Path) -> None:
    """SIGINT ends the load; the recording is complete and judged, the status is the driver's own 0."""
    process = subprocess.Popen(
        [*STOREPROF, "profile", "tsdb", "--duration", "60", "--no-perf", "--out", str(tmp_path / "recording")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (tmp_path / "recording" / "window.json").exists():
        assert time.monotonic() < deadline, "the warm-up did not end"
    journal = tmp_path / "recording" / "journal.bin"
    size = journal.stat().st_size
    while journal.stat().st_size < size + 100_000:
        assert time.monotonic() < deadline, "the journal did not grow"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err.rstrip().endswith(f"recording: {tmp_path / 'recording'}")
    assert json.loads((tmp_path / "recording" / "recording.json").read_text())["state"] == "complete"
    assert "StorageImpl.write" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nosuch",), "known engines: tsdb"),
        (("tsdb", "--workload", "nosuch"), "known workloads: mixed, write-heavy"),
        (("tsdb", "--threads", "0"), "from 1 on"),
        (("tsdb", "--duration", "soon"), "positive number of seconds"),
        ((), "ENGINE"),
    ],
)
def test_a_mistake_gets_one_line_and_125(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """Unknown engines, workloads and unusable numbers are named, with what there is instead; nothing is left."""
    done = storeprof("profile", *arguments, cwd=tmp_path)
    assert done.status == 125
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
