"""perf, really run: what it says about built programs is what they do, as root and as an ordinary user."""

import dataclasses
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from collect_support import build, driver, eventually, is_gone, outcome, public_folder

from storeprof.collect.collector import Context
from storeprof.collect.linux import perf
from storeprof.collect.linux.native_samples import CPU, SWITCH, NativeSamples
from storeprof.collect.linux.perf import Perf, PerfOptions, PerfSession
from storeprof.collect.linux.perf_script import parse_perf_script
from storeprof.collect.tool_process import HeldCommand
from storeprof.errors import CollectorError


def record(folder: Path, *command: object, mode: str = "perf") -> NativeSamples:
    """Record a command with perf attached before its start."""
    subprocess.run(driver(mode, folder, *command), capture_output=True, check=True)
    with open(folder / "script.txt", "rb") as lines:
        return parse_perf_script(lines)


def share(native: NativeSamples, kind: int, function: str) -> float:
    """The share of samples of a kind that have the function on their stack."""
    chosen = native.samples[native.samples["kind"] == kind]
    return float(np.mean([function in native.stack_symbols(int(row["stack"])) for row in chosen]))


def test_known_split_of_two_functions(tmp_path: Path) -> None:
    """A program that spends 70 % and 30 % of its CPU in two functions is seen to do so, from its main on."""
    native = record(tmp_path, build("collect_two_functions"), 2)
    # 400 samples: three standard errors are 7 points.
    assert share(native, CPU, "seventy") == pytest.approx(0.7, abs=0.08)
    assert share(native, CPU, "thirty") == pytest.approx(0.3, abs=0.08)
    assert share(native, CPU, "main") > 0.9
    assert native.quality().broken < 0.1 and native.lost == 0


def test_waiting_threads_name_the_function_that_waits(tmp_path: Path) -> None:
    """Where perf may see switches, threads that wait for a mutex are caught in the function that takes it."""
    native = record(tmp_path, build("collect_mutex"), 1)
    able = outcome(tmp_path)["available"][3]
    assert ("switches" in able) == bool((native.samples["kind"] == SWITCH).any())
    if "switches" in able:
        assert share(native, SWITCH, "wait_for_the_lock") > 0.6
        assert share(native, SWITCH, "pthread_mutex_lock") > 0.6
    assert share(native, CPU, "work_inside") > 0.6


def test_an_ordinary_user_gets_cpu_samples(tmp_path: Path) -> None:
    """Without privilege perf samples one's own code, and says what is missing and what would help."""
    folder = public_folder() / "nobody"
    folder.mkdir()
    native = record(folder, build("collect_two_functions"), 1, mode="perf-nobody")
    ok, reason, remedy, able = outcome(folder)["available"]
    assert ok and "cpu" in able and share(native, CPU, "seventy") > 0.5
    if "switches" not in able:
        assert "kernel.perf_event_paranoid" in reason and "root" in remedy


def test_a_missing_perf_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without perf in PATH the remedy is the command that installs it, to be typed as it stands."""
    (tmp_path / "apt-get").symlink_to("/usr/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    able = Perf().available(Context())
    assert not able.ok and able.remedy is not None and "linux-perf" in able.remedy


def test_a_refused_perf_names_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A perf that is refused by the kernel leads to the setting that refuses it."""
    refuse = tmp_path / "perf"
    said = "Error: Access to performance monitoring and observability operations is limited."
    refuse.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
    refuse.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    able = Perf().available(Context())
    assert not able.ok and "perf_event_paranoid" in (able.reason or "") + (able.remedy or "")


def test_a_perf_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However many collectors ask, a perf without an answer is run once, and the reason is that it hangs."""
    (tmp_path / "perf").write_text(f"#!/bin/sh\necho >> {tmp_path}/asked\nexec sleep 1000\n")
    (tmp_path / "perf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(perf, "READY_TIMEOUT_S", 0.5)
    found = [Perf().available(Context()).reason for _ in range(3)]
    assert len(set(found)) == 1 and "perf hangs" in found[0]
    assert (tmp_path / "asked").read_text() == "\n"


def test_perf_that_cannot_attach_says_so(tmp_path: Path) -> None:
    """Attaching to a process that is gone is one clear line, and leaves no descriptor."""
    held = HeldCommand(["true"])
    held.abandon()
    before = os.listdir("/proc/self/fd")
    session = PerfSession(PerfOptions(tmp_path / "perf.data", held.pid))
    with pytest.raises(CollectorError, match=r"^perf record did not get ready: [^\n]+$"):
        session.enable()
    assert os.listdir("/proc/self/fd") == before


def test_a_running_process_can_be_attached(tmp_path: Path) -> None:
    """perf attached to a running process is stopped without harm to it, and its file is complete."""
    program = subprocess.Popen([build("collect_two_functions"), "30"], stdout=subprocess.DEVNULL)
    able = Perf().available(Context(program.pid)).abilities
    options = PerfOptions(
        tmp_path / "perf.data",
        program.pid,
        kernel="kernel" in able,
        switches="switches" in able,
        call_graph="fp",
    )
    session = PerfSession(options)
    session.enable()
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.5)
    session.stop()
    assert program.poll() is None
    program.kill()
    program.wait()
    text = subprocess.run(Perf().script_command(session.data), capture_output=True, check=True).stdout
    assert share(Perf().parse(text.splitlines(keepends=True)), CPU, "seventy") > 0.5


def test_killing_storeprof_leaves_what_perf_saw(tmp_path: Path) -> None:
    """After kill -9 of storeprof perf ends as well, with a complete file of what it saw until then."""
    killed = subprocess.run(driver("perf-killed", tmp_path, build("collect_two_functions"), 2), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert eventually(lambda: is_gone(outcome(tmp_path)["pid"]))
    script = Perf().script_command(tmp_path / "perf.data")
    assert eventually(lambda: subprocess.run(script, capture_output=True, check=False).returncode == 0)
    text = subprocess.run(script, capture_output=True, check=True).stdout
    assert share(Perf().parse(text.splitlines(keepends=True)), CPU, "main") > 0.8


def test_a_pause_leaves_a_gap(tmp_path: Path) -> None:
    """Between `disable` and `enable` nothing is sampled, and afterwards it is again."""
    program = subprocess.Popen([build("collect_two_functions"), "30"], stdout=subprocess.DEVNULL)
    session = PerfSession(PerfOptions(tmp_path / "perf.data", program.pid, kernel=False, switches=False))
    session.enable()
    session.disable()
    paused_ns = time.monotonic_ns()
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.3)
    resumed_ns = time.monotonic_ns()
    session.enable()
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.5)
    session.stop()
    program.kill()
    program.wait()
    text = subprocess.run(Perf().script_command(session.data), capture_output=True, check=True).stdout
    times = Perf().parse(text.splitlines(keepends=True)).samples["t_ns"]
    assert not ((times > paused_ns) & (times < resumed_ns)).any() and (times > resumed_ns).any()


def test_command_follows_the_options(tmp_path: Path) -> None:
    """Each option shows in perf's command line."""
    options = PerfOptions(tmp_path / "perf.data", 42, kernel=False, switches=False, held=True)
    words = Perf().command(options)
    assert words[words.index("-p") + 1] == "42" and "cpu-clock/freq=199/u" in words
    assert "sched:sched_switch" not in words and "--synth=no" in words and "dwarf,8192" in words
    other = Perf().command(dataclasses.replace(options, call_graph="fp", switches=True, control=(7, 8)))
    assert "sched:sched_switch" in other and "fp" in other and "fd:7,8" in other
