"""The processes of a pass: COMMAND under a tool, or a tool attached to it; ended in time whatever they do.

Everything runs in process groups of its own, deaf to the terminal's Ctrl-C, without standard input, its output in
files; the kernel ends it when storeprof dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from storeprof.collect.output_relay import open_pipe
from storeprof.collect.process_ends import die_with, shell_status
from storeprof.collect.tool_process import HELD_PROGRAM, BackgroundTool, start_tool
from storeprof.errors import CollectorError

READY_TIMEOUT_S: Final = 30.0
# After the program's end a tool writes its file: valgrind looks for leaks, heaptrack interprets.
AFTER_PROGRAM_S: Final = 60.0
# Signals for a program that has to end, and how long after the first each comes.
ESCALATION: Final = ((0.0, signal.SIGINT), (3.0, signal.SIGTERM))
KILL_AFTER_S: Final = 6.0
PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Limits:
    """When a pass is over: `duration_s` asks the program to end, `limit_s` gives up waiting for it to end by itself."""

    duration_s: float | None
    limit_s: float


@dataclass(frozen=True, slots=True)
class PassEnd:
    """How the processes of a pass ended; `by` is `killed` when even the signals did not help."""

    status: int
    seconds: float
    by: Literal["exit", "duration", "limit", "killed"]


def run_under(
    argv: Sequence[str], said: Path, *, limits: Limits, spare: frozenset[str], env: Mapping[str, str], stdout: Path
) -> PassEnd:
    """Run a command line to its end; `said` receives standard error.

    `spare`: names of the tool's own processes, which are not asked to end. Raises CollectorError when it can't start.
    """
    with open(stdout, "wb") as out, open(said, "wb") as err:
        process = start_tool(argv, stdout=out, stderr=err, env=env, preexec=die_with(os.getpid()))
    return _until_end(process, limits, spare)


def run_attached(
    tool_argv: Callable[[int], list[str]],
    ready: Callable[[], bool],
    program: Sequence[str],
    said: Path,
    *,
    limits: Limits,
    env: Mapping[str, str],
    stdout: Path,
) -> PassEnd:
    """Hold a program before it begins, attach a tool to its pid, let it run to its end, and wait for the tool.

    Raises CollectorError when the tool does not get ready; the program has not run then.
    """
    gate, release = open_pipe()
    held = [sys.executable, "-SE", "-c", HELD_PROGRAM, str(gate), *program]
    program_said = said.with_name(said.name + ".program")
    process: Any = None
    tool: BackgroundTool | None = None
    try:
        with open(stdout, "wb") as out, open(program_said, "wb") as err:
            process = start_tool(held, stdout=out, stderr=err, env=env, pass_fds=(gate,), preexec=die_with(os.getpid()))
        tool = BackgroundTool(tool_argv(process.pid), said, env=env)
        _wait_until_ready(tool, ready)
        os.write(release, b"x")
        end = _until_end(process, limits, frozenset())
        _let_finish(tool)
        return end
    finally:
        os.close(gate)
        os.close(release)
        if tool is not None:
            tool.stop(timeout_s=1.0)
        if process is not None and process.poll() is None:
            _kill(process)


def run_beside(argv: Sequence[str], said: Path, *, duration_s: float, env: Mapping[str, str]) -> PassEnd:
    """Run a tool beside a process that runs already; the tool ends by itself after `duration_s`."""
    started = time.monotonic()
    tool = BackgroundTool(argv, said, env=env)
    try:
        killed = not _ends_within(tool, duration_s + READY_TIMEOUT_S)
    finally:
        status = tool.stop(timeout_s=2.0)
    return PassEnd(status, time.monotonic() - started, "killed" if killed else "exit")


def _wait_until_ready(tool: BackgroundTool, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not ready():
        if not tool.running() or time.monotonic() >= deadline:
            said = [line.strip() for line in tool.stderr().splitlines() if line.strip() and "RLIMIT" not in line]
            raise CollectorError(f"it did not get ready: {said[-1] if said else 'it said nothing'}")
        time.sleep(PAUSE_S)


def _let_finish(tool: BackgroundTool) -> None:
    if not _ends_within(tool, KILL_AFTER_S):
        tool.stop()


def _ends_within(tool: BackgroundTool, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while tool.running():
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE_S)
    return True


def _until_end(process: Any, limits: Limits, spare: frozenset[str]) -> PassEnd:
    started = time.monotonic()
    first = limits.limit_s if limits.duration_s is None else min(limits.duration_s, limits.limit_s)
    by: Literal["exit", "duration", "limit", "killed"] = "exit"
    asked = 0
    try:
        while process.poll() is None:
            over = time.monotonic() - started - first
            if asked < len(ESCALATION) and over >= ESCALATION[asked][0]:
                by = "duration" if first == limits.duration_s else "limit"
                _signal_group(process.pid, ESCALATION[asked][1], spare)
                asked += 1
            if over >= KILL_AFTER_S and (over >= AFTER_PROGRAM_S or not _writes_its_file(process.pid, spare)):
                by = "killed"
                _kill(process)
            time.sleep(PAUSE_S)
    except BaseException:
        _kill(process)
        raise
    return PassEnd(shell_status(process.returncode), time.monotonic() - started, by)


def _kill(process: Any) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: signal.Signals, spare: frozenset[str]) -> None:
    members = _members(group)
    # Where nothing but the tool is left, it is the tool that has to end.
    for pid in [pid for pid, name in members if name not in spare] or [pid for pid, _ in members]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _writes_its_file(group: int, spare: frozenset[str]) -> bool:
    """Whether of a tool with processes of its own only these are left: the program has ended, they have not."""
    return bool(spare) and all(name in spare for _, name in _members(group))


def _members(group: int) -> list[tuple[int, str]]:
    """(pid, name) of the processes of a group that are no zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                name, _, rest = (entry / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
                fields = rest.split()
                if int(fields[2]) == group and fields[0] != "Z":
                    found.append((int(entry.name), name))
    return found
