"""A tool that is missing, crashes, hangs, prints garbage or is refused, and a full disk, never cost the recording."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recordings import PROGRAMS, STOREPROF, Finished, build, storeprof
from storeprof.recording.model import read_meta


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A native program that ends by itself."""
    return build(tmp_path_factory.mktemp("program"), PROGRAMS / "planted_memory.cpp")


def stub(folder: Path, name: str, script: str) -> str:
    """A tool of that name first in PATH, which does what the script says; returns the PATH."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def recorded(folder: Path, program: Path, *options: str, path: str) -> tuple[Finished, dict[str, Any]]:
    """A recording with passes, made with that PATH, and the row of its first pass."""
    done = storeprof("record", "--no-perf", *options, "--out", folder / "r", "--", program, PATH=path)
    document = json.loads(storeprof("analyze", folder / "r", "--json").stdout)
    assert done.last_line == f"recording: {folder / 'r'}"
    assert done.stdout.startswith("ops="), "the program's own output came once, unchanged"
    assert done.stdout.count("ops=") == 1
    assert document["metrics"]["rss_peak_bytes"] is not None, "the timing run is whole"
    return done, next(row for row in document["passes"] if row["collects"])


FAILURES = {
    "crashes": ("kill -SEGV $$", "wrote nothing (status 139)"),
    "prints garbage": ('for a in "$@"; do case $a in --xml-file=*) echo "%PDF-1.4" > "${a#*=}";; esac; done', "line 1"),
    "prints half a file": (
        'for a in "$@"; do case $a in --xml-file=*) printf "<?xml version=\\"1.0\\"?>\\n<valgrind" > "${a#*=}";; '
        "esac; done; exit 0",
        "",
    ),
    "is refused": ("echo 'valgrind: Operation not permitted' >&2; exit 126", "not permitted"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_tool_that_fails_leaves_the_recording_whole(failure: str, program: Path, tmp_path: Path) -> None:
    """The report says in one line which tool failed and how, and no number comes from it."""
    script, why = FAILURES[failure]
    done, row = recorded(tmp_path, program, "--collect", "leaks", path=stub(tmp_path / "bin", "valgrind", script))
    assert done.status == 0
    assert "Traceback" not in done.stderr
    if why:
        assert not row["ran"]
        assert why in row["reason"]
        assert row["figures"] == []
    assert sum(one["value"] for one in row["figures"]) == 0


def test_a_tool_that_hangs_is_ended(program: Path, tmp_path: Path) -> None:
    """A tool deaf to SIGINT and SIGTERM is killed some seconds after its limit, with all that it started."""
    path = stub(tmp_path / "bin", "valgrind", "trap '' INT TERM; echo $$ > $0.pid; while :; do sleep 0.1; done")
    done, row = recorded(tmp_path, program, "--collect", "leaks", "--pass-limit", "0.3", path=path)
    assert done.status == 0
    assert not row["ran"]
    pid = int((tmp_path / "bin" / "valgrind.pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_a_termination_ends_the_tool_under_way(program: Path, tmp_path: Path) -> None:
    """SIGTERM while a tool is tried ends that tool too, and the recording that was made before is there."""
    os.mkfifo(tmp_path / "pid")
    path = stub(tmp_path / "bin", "bpftrace", f"echo $$ > {tmp_path}/pid; exec sleep 600")
    command = [*STOREPROF, "record", "--no-perf", "--collect", "entries=churn", "--out", str(tmp_path / "r"), "--"]
    environment = {**os.environ, "PATH": path}
    process = subprocess.Popen([*command, str(program)], env=environment, stdout=-1, stderr=-1)
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))  # waits until somebody writes
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert not Path(f"/proc/{pid}").exists()
    assert b"Traceback" not in said
    assert storeprof("analyze", tmp_path / "r", "--json").status == 0


def test_missing_tools_are_named_with_the_command_that_gets_them(program: Path, tmp_path: Path) -> None:
    """Without any tool the timing run is made all the same, and each group says what would fill it."""
    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in ("apt-get", "nm"):
        (bare / tool).symlink_to("/usr/bin/true")
    done, _ = recorded(tmp_path, program, "--preset", "deep", path=str(bare))
    rows = {tuple(row["collects"]): row for row in read_meta(tmp_path / "r")["passes"]}
    assert rows["heap",]["reason"] == "heaptrack: heaptrack is not installed; massif: valgrind is not installed"
    assert rows["heap",]["remedy"] == "apt-get install -y heaptrack or apt-get install -y valgrind"
    assert rows["offcpu",]["ran"] is False
    assert "offcpu: bpftrace: bpftrace is not installed" in done.stderr


def test_an_attaching_tool_that_never_gets_ready_lets_nothing_run(program: Path, tmp_path: Path) -> None:
    """When bpftrace ends before its probes are in place, the held program never runs, and the reason is its words."""
    script = 'case "$*" in *json*) echo "ERROR: no BTF found" >&2; exit 1;; esac'
    path = stub(tmp_path / "bin", "bpftrace", script)
    _, row = recorded(tmp_path, program, "--collect", "entries=churn", path=path)
    assert row["reason"] == "bpftrace-entries: it did not get ready: ERROR: no BTF found"


def test_patterns_that_name_no_function_are_said(program: Path, tmp_path: Path) -> None:
    """entries=PATTERN that matches nothing says so and how many functions were looked at."""
    _, row = recorded(tmp_path, program, "--collect", "entries=NoSuch::*", path=os.environ["PATH"])
    assert "entries=NoSuch::*: planted_memory has no function of that name" in row["reason"]


def test_a_pass_that_fills_the_disk_gives_its_room_back(tmp_path: Path) -> None:
    """The timing run is worth more: what the pass had written is let go, and the recording is finished."""
    program = build(tmp_path, PROGRAMS / "planted_faults.cpp")
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs -o size=300k tmpfs disk && "$@" && cp -r disk/r whole'
    argv = [*STOREPROF, "record", "--no-perf", "--collect", "faults", "--out", "disk/r", "--", str(program)]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *argv], cwd=tmp_path, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "storeprof: faults: the disk is full" in done.stderr and "Traceback" not in done.stderr
    document = json.loads(storeprof("analyze", tmp_path / "whole", "--json").stdout)
    (row,) = [one for one in document["passes"] if one["collects"]]
    assert (row["ran"], row["figures"]) == (False, []) and document["metrics"]["rss_peak_bytes"] is not None


FULL_DISK = """
mount -t tmpfs -o size=400k tmpfs disk || exit 90
"$@" record --no-perf --collect leaks --out disk/r -- "$PYTHON" -c "$LOOP"
echo "record: $?"
"$@" analyze disk/r; echo "analyze: $?"
mount -o remount,size=50m disk && "$@" analyze disk/r --json > document.json
echo "analyze: $?"
"""
LOOP = """
import threading, time
def work():
    end = time.monotonic() + 4
    while time.monotonic() < end: sum(range(500))
threads = [threading.Thread(target=work) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
print("whole")
"""


def test_a_full_disk_ends_the_recording_and_not_the_program(tmp_path: Path) -> None:
    """The program runs on to its end, nothing is passed off as done, and with room again the rest is finished."""
    (tmp_path / "disk").mkdir()
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", FULL_DISK, "sh", *STOREPROF],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable, "LOOP": LOOP},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["whole", "record: 125", "analyze: 2", "analyze: 0"], done.stderr
    assert "No space left on device: recording stopped, the program goes on" in done.stderr
    assert "the disk is full; make room, then `storeprof analyze disk/r`" in done.stderr
    assert "Traceback" not in done.stderr
    document = json.loads((tmp_path / "document.json").read_text())
    assert 0 < document["duration_s"] < 4
