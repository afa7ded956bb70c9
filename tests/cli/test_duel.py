"""`storeprof duel` from the command line, on programs whose difference is known."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from recordings import PROGRAMS, STOREPROF, Finished, in_process, storeprof

WORKER = f"{shlex.quote(sys.executable)} {shlex.quote(str(PROGRAMS / 'slices' / 'worker.py'))} {{dir}}"
CONTRACT = {"schema", "verdict", "metrics", "explanation", "unexplained_share", "warnings"}
ROW = {
    "name", "operation", "unit", "baseline", "candidate", "ratio", "ci", "p_adjusted", "verdict", "minimum_detectable",
    "better",
}  # fmt: skip


def document_of(done: Finished) -> dict[str, Any]:
    """The document on standard output."""
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def rows_of(document: dict[str, Any]) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Rows by metric and operation."""
    return {(row["name"], row["operation"]): row for row in document["metrics"]}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository whose program says that it took 2 s, and in its latest revision 1 s."""
    place = tmp_path / "repository"
    place.mkdir()

    def git(*arguments: str) -> None:
        plain = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        subprocess.run(plain, cwd=place, check=True, capture_output=True)

    git("init", "-q")
    for seconds in ("2.0", "1.0"):
        (place / "program.sh").write_text(f"cat built\necho ops=10 seconds={seconds}\n", encoding="utf-8")
        git("add", "-A")
        git("commit", "-qm", seconds)
    return place


def checkouts(repository: Path) -> int:
    """How many git knows of."""
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True)
    return len(listed.stdout.splitlines())


def test_a_slower_worker_is_found_and_placed(tmp_path: Path) -> None:
    """20 % more work per operation regresses P50 and CPU, exits 1, and the change has its place."""
    out = tmp_path / "duel"
    slow = f"env SLOWER=20 {WORKER}"
    done = storeprof(
        "duel", "--slices", "--baseline", WORKER, "--candidate", slow, "--budget", "20", "--pairs", "4", "--json",
        "--slices-per-pair", "60", "--out", out,
    )  # fmt: skip
    assert done.status == 1, done.stderr
    document = document_of(done)
    assert set(document) >= CONTRACT
    assert all(set(row) >= ROW for row in document["metrics"])
    rows = rows_of(document)
    assert document["verdict"] == "regressed"
    for key in (("latency_p50", "put"), ("cpu_per_operation", None)):
        assert rows[key]["verdict"] == "regressed"
        assert 1.05 < rows[key]["ci"][0] < rows[key]["ci"][1] < 1.35
    assert document["design"]["slices_per_pair"] == 60
    assert any(row["where"]["function"] == "worker.work" for row in document["explanation"])
    shares = [row["share_of_change"] for row in document["explanation"]]
    if document["unexplained_share"] is not None:
        assert abs(sum(shares) + document["unexplained_share"] - 1) < 0.01
    assert json.loads((out / "comparison.json").read_text())["verdict"] == "regressed"
    assert len((out / "pairs.jsonl").read_text().splitlines()) == document["design"]["pairs"]


def test_whole_runs_of_any_command_alternate(tmp_path: Path) -> None:
    """Commands that know nothing of storeprof: run time, CPU and work are compared, and what can't be told is said."""
    code = "import os,sys\nn=int(sys.argv[1])\nx=0\nfor i in range(n*100000): x+=i\nprint(f'ops=100 seconds={n/10}')"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} "
    done = storeprof(
        "duel", "--baseline", command + "4", "--candidate", command + "2", "--budget", "20", "--pairs", "4",
        "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.status == 0, done.stderr
    document = document_of(done)
    rows = rows_of(document)
    assert rows["throughput", None]["ratio"] == 2.0
    assert document["explanation"] == []
    assert any("is too short to see where its time goes" in warning for warning in document["warnings"])
    assert rows["throughput", None]["verdict"] == "improved"
    assert document["design"]["mode"] == "whole runs"
    assert any("only 4 pairs of processes" in warning for warning in document["warnings"])


def test_a_version_that_fails_is_one_line(tmp_path: Path) -> None:
    """Which side, its status and last words, exit status 2."""
    done = storeprof("duel", "--baseline", "true", "--candidate", "sh -c 'echo no disk >&2; exit 9'", cwd=tmp_path)
    assert done.status == 2
    assert "candidate ended with status 9: no disk" in done.stderr


def test_what_names_no_two_versions_is_refused(tmp_path: Path) -> None:
    """Each misuse says what to do instead, has status 2, and leaves no folder behind."""
    for arguments, what in (
        ((), "name two commands"),
        (("--baseline", "true"), "there is no --candidate"),
        (("--baseline", "true", "--self", "--pairs", "1"), "'1' is not a whole number from 2 on"),
        (("--engine", "tsdb"), "both sides are the same"),
        (("--engine", "tsdb", "--set", "color=red", "--self"), "tsdb has no setting 'color'"),
        (("--engine", "nosuch", "--self"), "known engines: tsdb"),
        (("--baseline", "true", "--self", "--ops-regex", "("), "is no regular expression"),
        (("--baseline", "no-such-program", "--self"), "command not found"),
        (("--engine", "tsdb", "--baseline-rev", "x", "--candidate-rev", "y"), "is no revision"),
        (("--self", "--baseline", "true", "--candidate", "false"), "--self measures the baseline against itself"),
        (("--baseline", "true", "--candidate", "false", "--set", "a=b"), "--set is for engines"),
        (("--baseline", "true", "--candidate", "false", "--build", "make"), "--build is run in checkouts"),
        (("--baseline", "true", "--baseline-rev", "x", "--build", 'make "'), "quote it as for a shell"),
        (("--baseline", " ", "--candidate", "true"), "is no command"),
    ):
        done = in_process("duel", *arguments, cwd=tmp_path)
        assert (done.status, what in done.stderr) == (2, True), (arguments, done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_the_engine_against_itself(tmp_path: Path) -> None:
    """`--self` reports how far pairs differ, and what could be seen with more of them."""
    done = storeprof(
        "duel", "--engine", "tsdb", "--self", "--pairs", "2", "--slices-per-pair", "40", "--json", cwd=tmp_path
    )
    assert done.status == 0, done.stderr
    document = document_of(done)
    names = {(row["name"], row["operation"]) for row in document["metrics"]}
    assert {("throughput", None), ("cpu_per_operation", None), ("latency_p50", "write")} <= names
    assert document["false_alarms"]["any_metric"] is None
    assert all(row["minimum_detectable"]["20"] <= row["minimum_detectable"]["5"] for row in document["metrics"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_duel_with_what_there_is(tmp_path: Path, repository: Path, number: int) -> None:
    """A document from the pairs that were made; no checkout, worker or data is left behind, and it is no failure."""
    out = tmp_path / "duel"
    options = ["--slices", "--self", "--slices-per-pair", "20", "--json", "--baseline-rev", "HEAD"]
    process = subprocess.Popen(
        [*STOREPROF, "duel", *options, "--baseline", WORKER, "--out", str(out)],
        cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    pairs = out / "pairs.jsonl"
    while not (pairs.exists() and len(pairs.read_text(encoding="utf-8").splitlines()) >= 3):
        assert time.monotonic() < deadline, "no pairs were made"
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert json.loads(stdout)["pairs"] >= 3
    assert not list(out.glob("data-*"))
    assert checkouts(repository) == 1
    assert not list(out.glob("tree-*"))


def test_a_signal_during_the_build_leaves_nothing(tmp_path: Path, repository: Path) -> None:
    """Neither checkout nor folder, and the status says which signal it was."""
    process = subprocess.Popen(
        [*STOREPROF, "duel", "--self", "--baseline-rev", "HEAD", "--build", "sleep 60", "--baseline", "true", "--out",
         str(tmp_path / "duel")],
        cwd=repository, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "duel" / "tree-baseline" / "program.sh").exists():
        assert time.monotonic() < deadline, "nothing was checked out"
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, "nothing can be told" in stderr) == (128 + signal.SIGTERM, True), stderr
    assert checkouts(repository) == 1
    assert not (tmp_path / "duel").exists()


def test_settings_of_the_engine_are_compared(tmp_path: Path) -> None:
    """Syncing every write costs an fsync per write, counted exactly, and is a regression."""
    done = storeprof(
        "duel", "--engine", "tsdb", "--workload", "write-heavy", "--candidate-set", "sync=always", "--pairs", "3",
        "--slices-per-pair", "30", "--no-explain", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.status == 1, done.stderr
    syncs = rows_of(document_of(done))["fsyncs_per_operation", None]
    assert syncs["baseline"] < 0.01
    assert 0.9 < syncs["candidate"] < 2.0  # one a write; the engine's clock adds one a second, however slow the disk is


def test_two_revisions_of_a_repository(tmp_path: Path, repository: Path) -> None:
    """Both are checked out, built, measured where they are, and cleared away."""
    done = storeprof(
        "duel", "--baseline-rev", "HEAD~1", "--candidate-rev", "HEAD", "--build", "sh -c 'echo yes > built'",
        "--baseline", "sh program.sh", "--pairs", "3", "--budget", "10", "--no-explain", "--json",
        "--out", tmp_path / "duel", cwd=repository,
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert rows_of(document_of(done))["throughput", None]["ratio"] == 2.0
    assert checkouts(repository) == 1
    assert not list((tmp_path / "duel").glob("tree-*"))
