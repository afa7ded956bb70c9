"""The only module that starts processes: outside tools, the command under study, the relay of its output."""

import contextlib
import os
import re
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NoReturn

from storeprof.collect.command_check import check_command, exec_error
from storeprof.collect.linux.orphans import STARTED
from storeprof.collect.output_relay import OPS_PATTERN, open_channel, open_pipe, run_relay
from storeprof.collect.process_ends import die_with, shell_status
from storeprof.errors import CollectorError, TargetError, UsageError

__all__ = [
    "HELD_PROGRAM",
    "BackgroundTool",
    "HeldCommand",
    "OutputRelay",
    "ToolResult",
    "check_command",
    "run_tool",
    "start_tool",
]

# After a tool's group was killed its pipes close at once, unless something escaped the group.
AFTER_KILL_S: Final = 1.0
# For `python -c`, with a descriptor and a command line: waits for a byte and becomes the program. Where nothing comes
# because storeprof has died, it ends.
HELD_PROGRAM: Final = "import os,sys\nif os.read(int(sys.argv[1]),1): os.execvp(sys.argv[2],sys.argv[2:])"
Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """How a tool ended: status (128+N for signal N, as in a shell), outputs, whether its time ran out."""

    status: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False


def run_tool(
    argv: Sequence[str],
    *,
    timeout_s: float,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout_path: Path | None = None,
) -> ToolResult:
    """Run a tool to its end in a process group of its own, which is killed whole when `timeout_s` is over.

    `env` is added to our own environment. `stdout_path` receives the standard output instead of memory (raw
    evidence can be large). Raises CollectorError when the tool can't be started.
    """
    with contextlib.ExitStack() as stack:
        stdout = subprocess.PIPE if stdout_path is None else stack.enter_context(open(stdout_path, "wb"))
        stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
        process = start_tool(argv, stdin=stdin, stdout=stdout, env=env, cwd=cwd)
        timed_out = False
        try:
            out, err = process.communicate(input, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            out, err = _kill_group(process)
        except BaseException:
            _kill_group(process)
            raise
    return ToolResult(shell_status(process.returncode), out or b"", err or b"", timed_out)


class BackgroundTool:
    """A tool beside the program, out of reach of the terminal's Ctrl-C, that dies when storeprof dies.

    It is told of storeprof's death by the kernel when the *thread* that started it ends: start it from the
    main one. Standard output goes to /dev/null, standard error to `stderr_path`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        stderr_path: Path,
        *,
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._stderr_path = stderr_path
        with open(stderr_path, "wb") as stderr:
            self._process = start_tool(
                argv,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=env,
                pass_fds=pass_fds,
                preexec=die_with(os.getpid()),
            )
        self.pid = self._process.pid

    def running(self) -> bool:
        """Whether the tool is still there."""
        return self._process.poll() is None

    def stop(self, timeout_s: float = 10.0) -> int:
        """Ask the tool to finish (SIGINT), wait, kill its group if it does not; return its status."""
        if self.running():
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        return shell_status(self._process.returncode)

    def stderr(self) -> str:
        """What the tool has said so far."""
        return self._stderr_path.read_text(errors="replace")


class HeldCommand:
    """The command under study, forked and held just before exec, so that collectors can attach to it first.

    To be made while storeprof has no other threads: the child of a fork has only the calling one. The child
    keeps our process group, standard input and error (and standard output unless `stdout` is given, which is
    closed here afterwards). If storeprof dies before `release()`, the command never starts; afterwards it
    does not depend on us.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env_additions: Mapping[str, str] | None = None,
        stdout: int | None = None,
    ) -> None:
        environment = {**os.environ, **(env_additions or {})}
        try:
            check_command(argv, environment.get("PATH"))
        except TargetError:
            if stdout is not None:
                os.close(stdout)
            raise
        self._argv = list(argv)
        gate, self._gate = open_pipe()
        self._failure, failure = open_pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate)  # with our copy of it open, the end of storeprof would never be seen
            _run_held(self._argv, environment, stdout, gate, failure)
        STARTED.add(self.pid)
        for fd in (gate, failure) if stdout is None else (gate, failure, stdout):
            os.close(fd)
        self._pidfd = os.pidfd_open(self.pid)
        self._status: int | None = None
        self._rusage: resource.struct_rusage | None = None

    def release(self) -> None:
        """Let the command start; returns once exec has happened.

        Raises CommandNotFound or CommandNotExecutable when exec fails; the child is reaped then.
        """
        with contextlib.suppress(BrokenPipeError):  # killed while it was held: `ended()` and `exit_status` tell
            os.write(self._gate, b"x")
        os.close(self._gate)
        report = os.read(self._failure, 64)
        os.close(self._failure)
        self._gate = self._failure = -1
        if report:
            self.reap()
            raise exec_error(self._argv[0], int(report))

    def abandon(self) -> None:
        """End a command that was not released: it has not run a single instruction of its own."""
        if self._gate >= 0:
            os.close(self._gate)
            os.close(self._failure)
            self._gate = self._failure = -1
        self.reap()

    def fileno(self) -> int:
        """The pidfd, which polls readable once the command has ended."""
        return self._pidfd

    def ended(self) -> bool:
        """Whether the command has ended; its zombie stays, so that its last counters can still be read."""
        if self._status is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end without reaping; False when `timeout_s` is over first."""
        if self._status is None:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            poll.poll(None if timeout_s is None else max(0, int(timeout_s * 1000)))
        return self.ended()

    def reap(self) -> int:
        """Wait for the end, collect the zombie, return `exit_status`."""
        if self._status is None:
            _, status, self._rusage = os.wait4(self.pid, 0)
            self._status = shell_status(os.waitstatus_to_exitcode(status))
            os.close(self._pidfd)
        return self._status

    def send(self, number: int) -> None:
        """Send a signal; nothing happens once the command was reaped (its pid may be another's by then)."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @property
    def exit_status(self) -> int:
        """The command's own status, or 128+N when signal N killed it. Raises TargetError before `reap()`."""
        if self._status is None:
            raise TargetError(f"the command (pid {self.pid}) has no exit status yet: it was not reaped")
        return self._status

    @property
    def rusage(self) -> resource.struct_rusage:
        """What the kernel counted for the command and its children. Raises TargetError before `reap()`."""
        if self._rusage is None:
            raise TargetError(f"the command (pid {self.pid}) has no resource usage yet: it was not reaped")
        return self._rusage


class OutputRelay:
    """A process of its own between the command's standard output and ours; start it before the HeldCommand.

    In a session of its own and deaf to SIGINT, SIGTERM and SIGHUP it lives as long as the program writes,
    whatever becomes of storeprof. `program_end` is the `stdout` for HeldCommand, which closes it here.
    """

    def __init__(self, ops_path: Path, pattern: bytes = OPS_PATTERN, *, stdout: int = 1) -> None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise UsageError(
                f"--ops-regex {pattern.decode(errors='replace')!r} is no regular expression: {error}"
            ) from None
        ops_file = os.open(ops_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        source, self.program_end = open_channel(stdout)
        self.pid = os.fork()
        if self.pid == 0:
            run_relay(source, stdout, ops_file, pattern)
        STARTED.add(self.pid)
        os.close(source)
        os.close(ops_file)
        self._done = False

    def finish(self, timeout_s: float = 2.0) -> bool:
        """After the program's end: wait for the rest of its output; False while somebody still holds it open.

        A grandchild that keeps the pipe open keeps the relay too, which goes on copying for it after
        storeprof's end.
        """
        deadline = time.monotonic() + timeout_s
        pause = 0.0005
        while not self._done:
            pid, _ = os.waitpid(self.pid, os.WNOHANG)
            self._done = pid != 0
            if not self._done:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(pause)
                pause = min(2 * pause, 0.02)
        return True


def start_tool(
    argv: Sequence[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes] = subprocess.PIPE,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    preexec: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a tool as the leader of a process group of its own. Raises CollectorError when that fails."""
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            cwd=cwd,
            pass_fds=pass_fds,
            process_group=0,
            preexec_fn=preexec,  # noqa: PLW1509 (only BackgroundTool has one, and says when it may be made)
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = "it is not installed or not in PATH" if isinstance(error, FileNotFoundError) else str(error)
        raise CollectorError(f"{argv[0]} could not be started: {reason}") from None
    STARTED.add(process.pid)
    return process


def _kill_group(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.communicate(timeout=AFTER_KILL_S)
    except subprocess.TimeoutExpired as unfinished:
        # Something left the group and holds the pipes: what was read so far has to do.
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()
        return unfinished.output or b"", unfinished.stderr or b""


def _run_held(argv: list[str], env: dict[str, str], stdout: int | None, gate: int, failure: int) -> NoReturn:
    """In the child: wait at the gate, then exec, which closes every descriptor of ours."""
    try:
        _plain_signals()
        if stdout is not None:
            os.dup2(stdout, 1)
        if os.read(gate, 1):
            os.execvpe(argv[0], argv, env)
    except OSError as error:
        os.write(failure, str(error.errno).encode())
    finally:
        os._exit(127)


def _plain_signals() -> None:
    """The dispositions that a shell would have given: Python's own are undone, nohup's SIGHUP stays."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        inherited = number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
        if not inherited and signal.getsignal(number) != signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
