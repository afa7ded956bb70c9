"""It never hurts the program: full and read-only places, a clock that is set, removed files, processes by the dozen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recordings import STOREPROF, findings, record
from storeprof.recording.model import Recording

QUICK = ("--no-perf",)
APP = """
import os, sys, time
from storeprof import *
@profile_operation
def put(n): return sum(range(n))
print("begun", flush=True)
end = time.monotonic() + float(os.environ["RUN_SECONDS"])
done, hours = 0, {int(time.time()) // 3600}
while time.monotonic() < end:
    put(5_000)
    done += 1
    hours.add(int(time.time()) // 3600)
print(done, len(hours) > 10)
sys.exit(7)
"""
# A clock that somebody sets an hour on or back at each reading.
STEPS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec* to) {
  static int (*real)(clockid_t, struct timespec*);
  static unsigned turn;
  if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(id, to);
  if (id == CLOCK_REALTIME) to->tv_sec += 3600 * (long)((++turn * 7919u) % 41) - 72000;
  return result;
}
"""
ADVERSE = """
mount -t tmpfs -o size=64k tmpfs /dev/shm || exit 90
mkdir closed && mount -t tmpfs -o ro tmpfs closed || exit 91
cat /dev/zero > /dev/shm/full 2>/dev/null
cd closed
export HOME="$PWD" TMPDIR="$PWD" LD_PRELOAD="$1"
shift
exec "$@"
"""
FORKS = """
import os, time
from storeprof import *
@profile_operation
def put(n): return sum(range(n))
children = []
for _ in range(64):
    child = os.fork()
    if child == 0:
        for _ in range(50): put(20_000); time.sleep(0.01)
        os._exit(0)
    children.append(child)
print(sum(os.waitpid(child, 0)[1] for child in children), flush=True)
time.sleep(0.5)
"""


def may_mount() -> bool:
    """Whether a mount namespace can be made here."""
    return (
        shutil.which("unshare") is not None and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(os.geteuid() != 0 and not may_mount(), reason="no mount namespaces for an ordinary user")
def test_full_shared_memory_closed_places_and_a_clock_that_is_set_change_nothing(tmp_path: Path) -> None:
    """Output, exit status and counts are the program's own; durations are right, as no wall clock is in them."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "steps.c").write_text(STEPS)
    library = tmp_path / "steps.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "steps.c"), "-ldl"], check=True)
    recording = [*STOREPROF, "record", *QUICK, "--out", str(tmp_path / "recording"), "--", sys.executable]
    began = time.monotonic()
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", ADVERSE, "sh", str(library), *recording, str(tmp_path / "app.py")],
        cwd=tmp_path, env={**os.environ, "RUN_SECONDS": "1.5"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    took = time.monotonic() - began
    assert done.returncode == 7, done.stderr
    _, calls, stepped = done.stdout.split()
    assert stepped == "True" and "Traceback" not in done.stderr
    document = findings(tmp_path)
    assert [(row["name"], row["count"]) for row in document["operations"]] == [("put", int(calls))]
    assert 1.4 < document["duration_s"] < took
    assert 0 < document["operations"][0]["latency_s"]["p50"] < 0.1


def test_a_recording_that_is_removed_meanwhile_does_not_end_the_program(tmp_path: Path) -> None:
    """The program runs to its end, its output arrives, and storeprof says in one line that the recording is gone."""
    (tmp_path / "app.py").write_text(APP)
    command = [*STOREPROF, "record", *QUICK, "--out", "recording", "--", sys.executable, "app.py"]
    env = {**os.environ, "RUN_SECONDS": "2"}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout and process.stdout.readline() == "begun\n"
        shutil.rmtree(tmp_path / "recording")
        out, err = process.communicate(timeout=60)
    assert len(out.split()) == 2 and int(out.split()[0]) > 10
    assert process.returncode == 125
    assert err.strip().splitlines()[-1].startswith("storeprof: ") and "Traceback" not in err


def test_an_unwritable_place_is_refused_before_the_program_starts(tmp_path: Path) -> None:
    """A folder below a file: one line that names it, status 125, and nothing was run."""
    (tmp_path / "file").write_text("")
    command = [*STOREPROF, "record", "--out", "file/recording", "--", sys.executable, "-c", "print('ran')"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert len(done.stderr.strip().splitlines()) == 1 and "file/recording" in done.stderr


def test_sixty_four_processes_at_once_end_as_they_would(tmp_path: Path) -> None:
    """All children end with 0; what was observed of them is counted right, and the rest is named."""
    (tmp_path / "forks.py").write_text(FORKS)
    done = record(tmp_path, sys.executable, "forks.py", options=(*QUICK, "--no-alloc-hook"))
    assert (done.status, done.stdout) == (0, "0\n"), done.stderr
    recording = Recording.open(tmp_path / "recording")
    rows = recording.sql("SELECT proc_id, sum(count)::BIGINT AS n FROM scope_slices GROUP BY proc_id")
    assert len(rows["n"]) > 0 and set(rows["n"].tolist()) == {50}
    processes = recording.meta["processes"]
    assert 1 < processes["observed"] <= processes["seen"] <= 65
    assert processes["observed"] == len(recording.sql("SELECT * FROM processes")["proc_id"])
    assert (processes["cpu_s_not_observed"] > 0) == (processes["observed"] < 65)
