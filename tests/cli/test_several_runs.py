"""Several runs and workloads from the command line: a recording each, judged together."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from recordings import PLANTED, STOREPROF, in_process, storeprof

HEALTHY = str(PLANTED / "healthy.py")
CONTRACT = {
    "schema", "verdict", "summary", "recording", "duration_s", "ci_level", "overhead", "metrics", "wall_time",
    "operations", "functions", "findings", "coverage",
}  # fmt: skip


def analyzed(folder: Path, *options: str) -> dict[str, Any]:
    """The findings document of a folder."""
    done = in_process("analyze", "--json", folder, *options, cwd=folder)
    assert done.status == 0, done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def test_a_command_is_recorded_several_times(tmp_path: Path) -> None:
    """One folder with a recording per run, and a document over all with the names of the contract."""
    out = tmp_path / "all"
    done = storeprof(
        "record", "--runs", "2", "--no-perf", "--target", "10k/s", "--out", out, "--", sys.executable, HEALTHY,
        RUN_SECONDS="1.5",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert done.last_line == f"recording: {out}"
    assert sorted(path.name for path in out.iterdir()) == ["run-1", "run-2", "runs.json"]
    assert json.loads((out / "run-2" / "recording.json").read_text())["state"] == "complete"
    document = analyzed(out)
    assert set(document) >= CONTRACT | {"runs", "workloads", "target"}
    assert [one["workload"] for one in document["runs"]] == [None, None]
    throughput = document["workloads"][0]["table"][0]
    assert len([value for value in throughput["runs"] if value]) == 2
    assert throughput["ci"][0] <= throughput["mean"] <= throughput["ci"][1]
    assert abs(sum(document["wall_time"].values()) - 1) < 0.01
    assert document["target"]["per_s"] == 10_000
    assert "target of 10,000/s" in document["summary"]
    report = in_process("report", out, cwd=out)
    assert "2 runs" in report.stdout
    assert analyzed(out / "run-1")["verdict"] in ("no-bottleneck", "inconclusive", "bottleneck")


def test_all_workloads_get_a_table_each(tmp_path: Path) -> None:
    """`--workload all` makes a folder per workload, leaves no data behind, and reports both."""
    out = tmp_path / "all"
    done = storeprof("profile", "tsdb", "--workload", "all", "--duration", "1", "--no-perf", "--out", out, cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["mixed", "runs.json", "write-heavy"]
    assert not (out / "mixed" / "run-1" / "data").exists()
    assert "workload mixed" in done.stdout
    assert "workload write-heavy" in done.stdout
    document = analyzed(out)
    assert {one["workload"] for one in document["workloads"]} == {"mixed", "write-heavy"}
    assert document["metrics"]["throughput_per_s"] is None


def test_the_status_is_that_of_the_last_run_that_failed(tmp_path: Path) -> None:
    """A run that fails does not end the series, and is not forgotten."""
    flag = tmp_path / "flag"
    code = f"import pathlib, sys; p = pathlib.Path({str(flag)!r}); s = p.exists(); p.touch(); sys.exit(0 if s else 3)"
    done = storeprof("record", "--runs", "2", "--no-perf", "--out", tmp_path / "all", "--", sys.executable, "-c", code)
    assert done.status == 3
    assert (tmp_path / "all" / "run-2" / "recording.json").exists()


def test_ctrl_c_ends_the_series_and_keeps_what_is_there(tmp_path: Path) -> None:
    """The run that was interrupted is kept, later ones are not begun, and the folder can be judged."""
    out = tmp_path / "all"
    code = "import time\nwhile True: time.sleep(0.001)"
    process = subprocess.Popen(
        [*STOREPROF, "record", "--runs", "3", "--no-perf", "--out", str(out), "--", sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    journal = out / "run-1" / "journal.bin"
    while not (journal.exists() and journal.stat().st_size > 10_000):
        assert time.monotonic() < deadline, "the journal did not grow"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err.rstrip().endswith(f"recording: {out}")
    assert sorted(path.name for path in out.iterdir()) == ["run-1", "runs.json"]
    assert len(analyzed(out)["runs"]) == 1


def test_a_command_that_can_not_be_found_leaves_nothing(tmp_path: Path) -> None:
    """Status 127, one line, and no folder of a series that never began."""
    done = storeprof("record", "--runs", "3", "--out", tmp_path / "all", "--", "/no/such/program")
    assert done.status == 127
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_list_of_runs_is_one_line(tmp_path: Path) -> None:
    """What is wrong and what to do instead, status 2."""
    (tmp_path / "runs.json").write_text("{", encoding="utf-8")
    done = storeprof("analyze", tmp_path)
    assert done.status == 2
    assert "damaged" in done.stderr
    assert done.stderr.count("\n") == 1
    (tmp_path / "runs.json").write_text('{"runs": []}', encoding="utf-8")
    assert "no run was recorded" in storeprof("analyze", tmp_path).stderr
