"""`storeprof record` as scripts rely on it: statuses, output, the last line, the end of time, mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings import PLANTED, PROGRAMS, STOREPROF, build, findings, record, storeprof

SIGNALS = PROGRAMS / "signals.py"
QUICK = ("--no-perf",)


def files_below(folder: Path) -> list[str]:
    """Everything in a folder, by relative path."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_status_is_the_commands_own(tmp_path: Path) -> None:
    """record ends with COMMAND's exit status."""
    assert record(tmp_path, sys.executable, SIGNALS, "exit", "7", options=QUICK).status == 7


def test_a_command_killed_by_a_signal_gives_128_and_the_signal(tmp_path: Path) -> None:
    """record ends with 128+N when signal N killed COMMAND."""
    assert record(tmp_path, sys.executable, SIGNALS, "kill", "9", options=QUICK).status == 137


def test_output_passes_through_and_the_last_line_names_the_recording(tmp_path: Path) -> None:
    """COMMAND's output is unchanged; the last line on standard error is exactly `recording: PATH`."""
    done = record(tmp_path, "sh", "-c", "printf 'one\\ntwo'; printf 'three\\n' >&2", options=QUICK)
    assert done.stdout == "one\ntwo"
    assert "three\n" in done.stderr
    assert done.last_line == f"recording: {tmp_path / 'recording'}"


def test_a_python_script_that_never_heard_of_storeprof_is_recorded(tmp_path: Path) -> None:
    """The recording of an unchanged Python script has tables, raw evidence and the program's own count."""
    done = record(tmp_path, sys.executable, PLANTED / "healthy.py", seconds=2.5)
    assert done.status == 0, done.stderr
    names = files_below(tmp_path / "recording")
    for start in (
        "performance_test_",
        "sample_profile_",
        "vmmap_analysis_",
        "tables/looks.parquet",
        "recording.json",
    ):
        assert any(name.startswith(start) for name in names), start
    assert "journal.bin" not in names
    document = findings(tmp_path)
    assert document["schema"] == 1
    counted = int(done.stdout.split("ops=")[1].split()[0]) / float(done.stdout.split("seconds=")[1])
    assert document["metrics"]["throughput_per_s"] == pytest.approx(counted, rel=1e-3)
    assert document["operations"] == []
    assert document["metrics"]["latency_s"]["p50"] is None


def test_a_cpp_binary_is_recorded_with_lines_of_its_source(tmp_path: Path) -> None:
    """A C++ program without probes gets functions with file and line, where perf may run."""
    program = build(tmp_path, PLANTED / "hotspot.cpp")
    done = record(tmp_path, program, seconds=2.5)
    assert done.status == 0, done.stderr
    top = findings(tmp_path)["functions"][0]
    assert top["function"] == "store::checksum"
    assert top["file"].endswith("hotspot.cpp")
    assert top["line"] > 0


def test_a_program_with_probes_has_operations(tmp_path: Path) -> None:
    """Scopes of a program that imports storeprof become operations with counts, rates and percentiles."""
    script = tmp_path / "probed.py"
    script.write_text(
        "import time\n"
        "from storeprof import profile_function, profile_operation\n"
        "@profile_function\n"
        "def step(n):\n"
        "    return sum(range(n))\n"
        "@profile_operation('put')\n"
        "def put():\n"
        "    step(300)\n"
        "end = time.monotonic() + 2.5\n"
        "n = 0\n"
        "while time.monotonic() < end:\n"
        "    put(); n += 1\n"
        "print('puts', n)\n"
    )
    done = record(tmp_path, sys.executable, script, options=QUICK)
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    (operation,) = document["operations"]
    assert operation["name"] == "put"
    assert operation["count"] == int(done.stdout.split()[1])
    assert operation["latency_s"]["p99"] >= operation["latency_s"]["p50"] > 0
    assert abs(sum(operation["wall_time"].values()) - 1) < 0.01


def test_a_program_may_state_its_count_in_its_own_words(tmp_path: Path) -> None:
    """--ops-regex reads another shape; without a second group the operations took the whole run."""
    done = record(
        tmp_path, "sh", "-c", "sleep 1; echo wrote 500 rows", options=(*QUICK, "--ops-regex", r"wrote (\d+) rows")
    )
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    assert document["metrics"]["throughput_per_s"] == pytest.approx(500 / document["duration_s"], rel=0.01)


PROBED_SINCE_LONG = """
import time
from storeprof import profile_operation
@profile_operation("put")
def put():
    pass
for _ in range(200_000):
    put()
print("ready", flush=True)
end = time.monotonic() + 30
while time.monotonic() < end:
    put()
    time.sleep(0.01)
"""


def test_what_a_program_did_before_it_was_attached_to_is_not_counted(tmp_path: Path) -> None:
    """--pid counts the operations of its own window, not those since the program began."""
    environment = {**os.environ, "STOREPROF_RECORD": "1"}
    command = [sys.executable, "-c", PROBED_SINCE_LONG]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        done = storeprof(
            "record", "--out", tmp_path / "recording", *QUICK, "--duration", "4", "--pid", str(process.pid)
        )
        process.kill()
    assert done.status == 0, done.stderr
    (operation,) = findings(tmp_path)["operations"]
    assert operation["name"] == "put"
    assert 50 < operation["count"] < 1000


def test_duration_ends_the_command_and_gives_status_0(tmp_path: Path) -> None:
    """After --duration COMMAND gets SIGINT, and the status is 0 whatever it makes of it."""
    done = record(tmp_path, sys.executable, SIGNALS, "polite", options=(*QUICK, "--duration", "1"))
    assert done.status == 0
    assert "interrupted" in done.stdout
    meta = json.loads((tmp_path / "recording" / "recording.json").read_text())
    assert meta["ended_by"] == "duration"


def test_a_command_deaf_to_sigint_gets_sigterm_five_seconds_later(tmp_path: Path) -> None:
    """Who ignores SIGINT at the end of --duration is ended by SIGTERM."""
    started = time.monotonic()
    done = record(tmp_path, sys.executable, SIGNALS, "deaf", options=(*QUICK, "--duration", "0.5"))
    assert done.status == 0
    assert time.monotonic() - started > 5


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that runs until it is interrupted."""
    with subprocess.Popen(
        [sys.executable, str(SIGNALS), "polite"], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_running_process_is_attached_to_and_left_running(tmp_path: Path, running: subprocess.Popen[str]) -> None:
    """--pid observes for --duration and leaves the process as it was."""
    done = storeprof("record", "--out", tmp_path / "recording", "--duration", "2.5", "--pid", str(running.pid))
    assert done.status == 0, done.stderr
    assert running.poll() is None
    assert findings(tmp_path)["functions"][0]["function"].startswith("signals.")


def start_recording(folder: Path, *command: str | Path, perf: bool = False) -> subprocess.Popen[str]:
    """Start `record` in the background and wait until the program speaks."""
    options = [] if perf else ["--no-perf"]
    process = subprocess.Popen(
        [*STOREPROF, "record", *options, "--out", str(folder / "recording"), "--", *map(str, command)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def program_of(recorder: subprocess.Popen[str]) -> int:
    """Pid of the program that a recorder runs (its other child is the output relay)."""
    children = Path(f"/proc/{recorder.pid}/task/{recorder.pid}/children").read_text().split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children}
    return next(pid for pid, line in lines.items() if line[1].endswith(b"signals.py"))


def wait_for_journal(folder: Path, size: int) -> None:
    """Wait until the journal has grown to a size."""
    journal = folder / "recording" / "journal.bin"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if journal.exists() and journal.stat().st_size > size:
            return
        os.sched_yield()
    raise AssertionError("the journal did not grow")


def test_ctrl_c_ends_early_and_keeps_a_complete_recording(tmp_path: Path) -> None:
    """SIGINT to storeprof reaches COMMAND; its status is passed on and the recording is complete."""
    process = start_recording(tmp_path, sys.executable, SIGNALS, "polite")
    wait_for_journal(tmp_path, 20_000)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "interrupted" in out
    assert json.loads((tmp_path / "recording" / "recording.json").read_text())["state"] == "complete"
    assert findings(tmp_path)["functions"]


def test_a_killed_recorder_leaves_the_program_alone_and_a_recoverable_recording(tmp_path: Path) -> None:
    """After kill -9 of storeprof the program runs on, and analyze finishes the recording from its journal."""
    process = start_recording(tmp_path, sys.executable, SIGNALS, "polite")
    wait_for_journal(tmp_path, 60_000)
    meta = json.loads((tmp_path / "recording" / "recording.json").read_text())
    assert meta["state"] == "recording"
    refused = storeprof("analyze", "--json", tmp_path / "recording")
    assert refused.status == 2
    assert "still being recorded" in refused.stderr
    target = program_of(process)
    process.kill()
    process.wait(timeout=10)
    assert Path(f"/proc/{target}").exists()
    document = findings(tmp_path)
    assert document["functions"][0]["function"].startswith("signals.")
    assert json.loads((tmp_path / "recording" / "recording.json").read_text())["ended_by"] == "recorder-killed"
    assert process.stdout is not None
    os.kill(target, signal.SIGINT)
    assert "interrupted" in process.stdout.read()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


def test_perf_does_not_outlive_a_killed_recorder(tmp_path: Path) -> None:
    """kill -9 of storeprof ends perf too, and its samples are part of the recovered recording."""
    process = start_recording(tmp_path, sys.executable, SIGNALS, "polite", perf=True)
    wait_for_journal(tmp_path, 60_000)
    target = program_of(process)
    process.kill()
    process.wait(timeout=10)
    log = tmp_path / "recording" / "raw" / "perf.data"
    deadline = time.monotonic() + 20
    while any(log.name in line and str(target) in line for line in command_lines()):
        assert time.monotonic() < deadline, "perf is still running"
    document = findings(tmp_path)
    os.kill(target, signal.SIGINT)
    process.communicate(timeout=20)
    perf = json.loads((tmp_path / "recording" / "recording.json").read_text())["collectors"][0]
    assert perf["ran"] and perf["samples"] > 0, perf
    assert document["functions"]


def command_lines() -> list[str]:
    """Command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def test_a_killed_program_leaves_a_complete_recording(tmp_path: Path) -> None:
    """kill -9 of COMMAND ends the recording with 137 and loses nothing that was seen."""
    process = start_recording(tmp_path, sys.executable, SIGNALS, "polite")
    wait_for_journal(tmp_path, 60_000)
    os.kill(program_of(process), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 137
    assert findings(tmp_path)["functions"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--", "no-such-command-here"), 127, "not found"),
        (("--", "/etc/passwd"), 126, "passwd"),
        (("--", "/"), 126, "/"),
        (("--pid", "999999999"), 125, "no process with pid 999999999"),
        (("--name", "no-such-process"), 125, "no process named"),
        ((), 125, "name one program"),
        (("--pid", "x"), 125, "--pid"),
        (("--duration", "-1", "--", "true"), 125, "positive number of seconds"),
        (("--overhead-budget", "0", "--", "true"), 125, "percentage"),
        (("--ops-regex", "(", "--", "true"), 125, "regular expression"),
        (("--no-such-option",), 125, "no-such-option"),
    ],
)
def test_a_mistake_gets_one_line_and_its_status(
    tmp_path: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    """Every mistake is one line that names it, with the status of the contract, and nothing is left behind."""
    done = storeprof("record", *arguments, cwd=tmp_path)
    assert done.status == status
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert files_below(tmp_path) == []


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    """A non-empty --out is refused and left as it was."""
    (tmp_path / "kept").write_text("mine")
    done = storeprof("record", "--out", tmp_path, "--", "true")
    assert done.status == 125
    assert "not empty" in done.stderr
    assert files_below(tmp_path) == ["kept"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """An --out below a file is refused in one line."""
    (tmp_path / "file").write_text("")
    done = storeprof("record", "--out", tmp_path / "file" / "below", "--", "true")
    assert done.status == 125
    assert "can't be created" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_out_the_recording_goes_below_the_current_folder(tmp_path: Path) -> None:
    """The default folder is ./storeprof-runs/TIME-NAME, and analyze finds the newest by itself."""
    done = storeprof("record", "--no-perf", "--", "sleep", "0.3", cwd=tmp_path)
    assert done.status == 0
    assert done.last_line.startswith("recording: storeprof-runs/")
    assert storeprof("analyze", cwd=tmp_path).stdout.startswith("inconclusive: too short")
