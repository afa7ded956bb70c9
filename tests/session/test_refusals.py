"""What becomes of a recording when the kernel refuses a part of it: Yama, seccomp, other users, namespaces."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recordings import PROGRAMS, STOREPROF, findings

CALLS = PROGRAMS / "observe_calls.py"
AS_NOBODY = [sys.executable, str(PROGRAMS / "as_nobody.py")]
NOBODY = 65534
# process_vm_readv, ptrace and perf_event_open on x86-64: what container runtimes' profiles forbid or have forbidden.
FORBIDDEN = "310,101,298"
NOT_DUMPABLE = """
import ctypes
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
print("ready", flush=True)
while True:
    sum(range(999))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that any user can write to."""
    made = Path(tempfile.mkdtemp(prefix="storeprof-refusals-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@contextmanager
def running(*command: str | Path, user: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A program that runs until the block ends."""
    with subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=user, cwd="/"
    ) as process:
        yield process
        process.kill()


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_under_a_seccomp_filter_python_stacks_are_read_all_the_same(folder: Path) -> None:
    """Where process_vm_readv, ptrace and perf are forbidden, functions are named, and coverage says what is missing."""
    record = [*STOREPROF, "record", "--out", folder / "recording", "--", sys.executable, CALLS, "3"]
    done = run(sys.executable, PROGRAMS / "forbid.py", FORBIDDEN, *record, cwd=folder)
    assert done.returncode == 0, done.stderr
    document = findings(folder)
    assert document["functions"][0]["function"] == "observe_calls.hot"
    assert 0.6 < document["functions"][0]["self_cpu_share"] < 0.9
    coverage = {row["kind"]: row for row in document["coverage"]}
    assert coverage["cpu-hotspot"]["checked"]
    assert "perf_event_open is not permitted" in coverage["cpu-hotspot"]["reason"]
    assert "--cap-add PERFMON" in coverage["cpu-hotspot"]["remedy"]


def assert_degraded(folder: Path, done: subprocess.CompletedProcess[str], reason: str, remedy: str) -> None:
    """The recording has looks and CPU time without names, and says why and what would help."""
    assert done.returncode == 0, done.stderr
    document = findings(folder)
    assert document["verdict"] == "inconclusive"
    assert document["wall_time"]["cpu"] > 0.2
    coverage = {row["kind"]: row for row in document["coverage"]}
    for kind in ("cpu-hotspot", "gil-contention", "lock-contention", "io-wait"):
        assert not coverage[kind]["checked"]
        assert reason in coverage[kind]["reason"]
        assert remedy in coverage[kind]["remedy"]


def test_another_users_process_is_recorded_from_proc_alone(folder: Path) -> None:
    """An ordinary user who attaches to root's process gets what /proc shows, and a remedy."""
    with running(sys.executable, CALLS, "60") as process:
        record = ("record", "--duration", "2", "--out", folder / "recording", "--pid", str(process.pid))
        done = run(*AS_NOBODY, *record, cwd=folder)
    assert_degraded(folder, done, "another user (root)", "run storeprof as root, or give it CAP_SYS_PTRACE")


def test_a_process_that_is_not_dumpable_is_recorded_from_proc_alone(folder: Path) -> None:
    """A process of the same user that made itself not dumpable is recorded as far as /proc goes."""
    with running("/usr/bin/python3", "-c", NOT_DUMPABLE, user=NOBODY) as process:
        assert process.stdout is not None
        process.stdout.readline()
        record = ("record", "--duration", "2", "--out", folder / "recording", "--pid", str(process.pid))
        done = run(*AS_NOBODY, *record, cwd=folder)
    assert_degraded(folder, done, "not dumpable", "--cap-add SYS_PTRACE")


def test_a_hidden_process_is_one_clear_line(folder: Path) -> None:
    """Where /proc hides the process nothing can be read: status 125, one line, and no folder is left."""
    with running("sleep", "60") as process:
        record = " ".join(["record", "--out", str(folder / "recording"), "--pid", str(process.pid)])
        hidden = f"mount -t proc -o hidepid=2 proc /proc && exec {' '.join(AS_NOBODY)} {record}"
        done = run("unshare", "--mount", "sh", "-c", hidden, cwd=folder)
    assert done.returncode == 125
    assert len(done.stderr.strip().splitlines()) == 1
    assert "hidden from this user" in done.stderr
    assert not (folder / "recording").exists()


def as_nobody(code: str, *arguments: str | Path) -> str:
    """What Python code prints that runs as nobody."""
    start = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); {code}"
    prelude = (
        "import sys, json, dataclasses; from pathlib import Path; from storeprof.observe.permission import refusal; "
    )
    done = run(sys.executable, "-c", prelude + start, *arguments, cwd=Path("/"))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("scope", "reason", "remedy"),
    [
        ("1", "only a process's parent", "sysctl kernel.yama.ptrace_scope=0"),
        ("2", "only a process with CAP_SYS_PTRACE", "give storeprof CAP_SYS_PTRACE"),
        ("3", "nobody", "storeprof record -- COMMAND"),
    ],
)
def test_yama_is_named_with_its_remedy(folder: Path, scope: str, reason: str, remedy: str) -> None:
    """With Yama's setting at 1, 2 or 3 the reason says whom it lets in, and the remedy what to change."""
    setting = folder / "ptrace_scope"
    setting.write_text(f"{scope}\n")
    code = "print(json.dumps(dataclasses.asdict(refusal(os.getpid(), Path(sys.argv[1])))))"
    said = json.loads(as_nobody(code, setting))
    assert f"kernel.yama.ptrace_scope is {scope}: {reason}" in said["reason"]
    assert remedy in said["remedy"]
    assert "--cap-add SYS_PTRACE" in said["remedy"]


def test_without_privilege_strace_stands_in_for_bpftrace(folder: Path) -> None:
    """An ordinary user's passes: what needs root says so, the last resort takes its place, the rest is whole."""
    command = [
        *AS_NOBODY,
        "record",
        "--no-perf",
        "--preset",
        "standard",
        "--out",
        folder / "recording",
        "--",
        "/bin/ls",
    ]
    done = subprocess.run(
        [str(word) for word in command], cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    row = next(one for one in findings(folder)["passes"] if one["collects"] == ["offcpu", "io"])
    assert (row["collector"], row["ran"]) == ("strace", True)
    assert row["notes"][0] == "stands in for bpftrace (bpftrace needs root; run storeprof as root: sudo storeprof …)"
    assert any(one["figure"].startswith("time in ") for one in row["figures"])
