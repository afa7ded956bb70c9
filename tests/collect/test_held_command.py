"""The command under study starts when it is released, as a shell would have started it, and ends unharmed."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from collect_support import driver, eventually, is_gone, outcome

from storeprof.collect.tool_process import HeldCommand, check_command
from storeprof.errors import CommandNotExecutable, CommandNotFound, TargetError, UsageError


def make(folder: Path, name: str, text: str, mode: int) -> str:
    """A file with this text and mode."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def run(folder: Path, *command: object, mode: str = "plain", **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command through the driver."""
    return subprocess.run(driver(mode, folder, *command), capture_output=True, check=False)


def test_check_finds_a_command_in_path() -> None:
    """A name without a slash is looked up in PATH; a path stands for itself."""
    assert check_command(["sh", "-c", "x"]).endswith("/sh")
    assert check_command(["/bin/sh"]) == "/bin/sh"


def test_check_refuses_no_command() -> None:
    """An empty command is a mistake in the call."""
    with pytest.raises(UsageError, match="name it after --"):
        check_command([])


@pytest.mark.parametrize("name", ["no-such-command", "./no/such/file", ""])
def test_missing_command_is_127(name: str) -> None:
    """What does not exist is reported as a shell does, with 127."""
    with pytest.raises(CommandNotFound, match=r"^command not found: [^\n]*$") as caught:
        check_command([name])
    assert caught.value.exit_status == 127


def test_what_cannot_be_executed_is_126(tmp_path: Path) -> None:
    """A directory, and a file without the permission (by path or in PATH), are 126."""
    plain = make(tmp_path, "plain", "#!/bin/sh\n", 0o644)
    for argv, path in (([str(tmp_path)], None), ([plain], None), (["plain"], str(tmp_path))):
        with pytest.raises(CommandNotExecutable) as caught:
            check_command(argv, path)
        assert caught.value.exit_status == 126 and "\n" not in str(caught.value)


def test_failed_exec_comes_back(tmp_path: Path) -> None:
    """What only exec finds out is raised by `release`, and no process is left."""
    cases = ((CommandNotExecutable, "echo no first line\n"), (CommandNotFound, "#!/no/such/interpreter\n"))
    for number, (error, text) in enumerate(cases):
        held = HeldCommand([make(tmp_path, f"script{number}", text, 0o755)])
        with pytest.raises(error, match="first line"):
            held.release()
        assert (held.exit_status, is_gone(held.pid)) == (127, True)


def test_nothing_happens_before_release(tmp_path: Path) -> None:
    """The command exists as a process, and runs no instruction of its own before it is released."""
    mark = tmp_path / "mark"
    held = HeldCommand(["touch", str(mark)])
    assert not held.wait(0.2) and not mark.exists()
    held.release()
    assert held.wait(20) and held.reap() == 0 and mark.exists()


def test_abandoned_command_never_runs(tmp_path: Path) -> None:
    """A command that is not wanted any more ends without having run."""
    mark = tmp_path / "mark"
    held = HeldCommand(["touch", str(mark)])
    held.abandon()
    assert is_gone(held.pid) and not mark.exists()


def test_command_killed_while_held() -> None:
    """A command that is killed before its release has that signal's status, and releasing it does no harm."""
    held = HeldCommand(["true"])
    held.send(signal.SIGTERM)
    assert held.wait(20)
    held.release()
    assert held.reap() == 128 + signal.SIGTERM


def test_status_and_usage_belong_to_a_reaped_command() -> None:
    """Before the zombie is collected there is no status; afterwards signals go nowhere."""
    held = HeldCommand(["sh", "-c", "kill -9 $$"])
    held.release()
    assert held.wait(20) and held.ended()
    with pytest.raises(TargetError, match="not reaped"):
        _ = held.exit_status
    assert held.reap() == held.exit_status == 137 and held.rusage.ru_maxrss > 0
    held.send(signal.SIGTERM)


def test_no_descriptors_are_left() -> None:
    """Starting, releasing and reaping a command leaves no descriptor behind."""
    before = os.listdir("/proc/self/fd")
    held = HeldCommand(["true"])
    held.release()
    held.reap()
    assert os.listdir("/proc/self/fd") == before


def test_whole_run(tmp_path: Path) -> None:
    """Output and status are the command's own, its zombie waits, additions are in its environment."""
    result = run(tmp_path, "sh", "-c", "printf 'a\\0b\\n'; echo ops=12 seconds=0.5; echo $STOREPROF_TEST; exit 7")
    assert (result.returncode, result.stdout, result.stderr) == (7, b"a\0b\nops=12 seconds=0.5\nyes\n", b"")
    found = outcome(tmp_path)
    assert (found["status"], found["zombie"], found["finished"]) == (7, "Z", True)
    (line,) = (tmp_path / "ops.jsonl").read_text().splitlines()
    assert {**json.loads(line), "t_ns": 0} == {"t_ns": 0, "ops": 12, "seconds": 0.5}


def test_large_binary_output_is_unchanged(tmp_path: Path) -> None:
    """A megabyte of random bytes arrives as it was written."""
    noise = tmp_path / "noise"
    noise.write_bytes(os.urandom(1 << 20))
    assert run(tmp_path, "cat", noise).stdout == noise.read_bytes()


def test_command_has_plain_signals_and_descriptors(tmp_path: Path) -> None:
    """Whatever storeprof ignores, blocks or has open, the command gets defaults and its three streams."""
    plain = run(tmp_path, "sh", "-c", "grep -E 'Sig(Ign|Blk)' /proc/self/status; ls /proc/self/fd", mode="stubborn")
    lines = plain.stdout.decode().split()
    blocked, ignored = int(lines[1], 16), int(lines[3], 16)
    glibcs_own = 0b11 << 31  # signals 32 and 33: glibc lets nobody touch them, whatever a parent left there
    assert (lines[0], lines[2]) == ("SigBlk:", "SigIgn:")
    assert (blocked, ignored & ~glibcs_own) == (0, 0)
    direct = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, check=True)
    assert lines[4:] == direct.stdout.decode().split()


def test_closed_standard_input_stays_closed(tmp_path: Path) -> None:
    """With standard input closed, none of our descriptors takes its place."""
    script = f"exec {' '.join(driver('plain', tmp_path, 'sh', '-c'))} 'test -e /proc/self/fd/0 || echo closed' <&-"
    result = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"closed\n", b"")


def test_killed_before_release_the_command_never_runs(tmp_path: Path) -> None:
    """When storeprof dies while the command is held, the command ends without having run."""
    mark = tmp_path / "mark"
    assert run(tmp_path, "touch", mark, mode="die-held").returncode == -signal.SIGKILL
    assert eventually(lambda: is_gone(outcome(tmp_path)["pid"])) and not mark.exists()


def test_killing_storeprof_does_not_harm_the_program(tmp_path: Path) -> None:
    """After kill -9 of storeprof the program runs on, writes, and its output still arrives."""
    go = tmp_path / "go"
    script = f"echo begun; while ! test -e {go}; do sleep 0.02; done; echo still here && touch {tmp_path / 'done'}"
    process = subprocess.Popen(driver("plain", tmp_path, "sh", "-c", script), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.kill()
    process.wait()
    go.touch()
    assert process.stdout.read() == b"still here\n"
    process.stdout.close()
    assert eventually((tmp_path / "done").exists)


def test_closed_reader_reaches_the_program_as_sigpipe(tmp_path: Path) -> None:
    """`record -- yes | head` ends as `yes | head` does."""
    process = subprocess.Popen(driver("plain", tmp_path, "yes"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(2)
    process.stdout.close()
    assert process.wait() == 128 + signal.SIGPIPE


def test_grandchild_that_keeps_the_output_is_not_waited_for(tmp_path: Path) -> None:
    """Output held open by a grandchild delays the end by the grace period only, and still arrives."""
    go = tmp_path / "go"
    script = f"(while ! test -e {go}; do sleep 0.02; done; echo late) & echo early"
    process = subprocess.Popen(driver("plain", tmp_path, "sh", "-c", script), stdout=subprocess.PIPE)
    assert process.wait(20) == 0 and outcome(tmp_path)["finished"] is False
    go.touch()
    assert process.stdout is not None
    assert process.stdout.read() == b"early\nlate\n"
    process.stdout.close()


def test_terminal_is_passed_on(tmp_path: Path) -> None:
    """On a terminal the program sees a terminal of the same size, and line ends are translated once."""
    code = "import os, sys; print(sys.stdout.isatty(), *os.get_terminal_size(1))"
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    subprocess.run(driver("plain", tmp_path, sys.executable, "-c", code), stdout=slave, check=True)
    os.close(slave)
    assert os.read(master, 1000) == b"True 77 33\r\n"
    os.close(master)
