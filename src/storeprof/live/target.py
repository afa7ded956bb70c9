"""The program that the live view looks at: started or attached to, looked at within the budget, let go in the end."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storeprof.collect.linux.orphans import adopt_orphans
from storeprof.collect.tool_process import HeldCommand
from storeprof.errors import TargetError
from storeprof.live.feed import Feed
from storeprof.session.process_tree import ProcessTree, TreeOptions
from storeprof.session.samplers import Samplers

# CPU seconds a second that the samplers may use, of one CPU; drawing takes about as much again.
BUDGET = 0.01
# What a COMMAND gets that is still there at the end: a signal, and how long it may take.
ESCALATION = ((signal.SIGINT, 2.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class LiveOptions:
    """A COMMAND to start, or the `pid` of a running process; whether its children are looked at, too."""

    command: tuple[str, ...] = ()
    pid: int | None = None
    children: bool = True


class LiveTarget:
    """Make it before there are other threads (it may fork); call `step` four times a second; `close` it."""

    def __init__(self, options: LiveOptions) -> None:
        self.feed = Feed()
        self._command = _start(options.command) if options.command else None
        self.pid = self._command.pid if self._command else int(options.pid or 0)
        self.title = _short(options.command or _command_line(self.pid)) or f"pid {self.pid}"
        self._samplers = Samplers(self.feed, BUDGET, seed=os.getpid())
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if self._command and options.children:
            adopt_orphans()
        try:
            tree_options = TreeOptions(self.pid, options.children, BUDGET, bool(self._command))
            self._tree = ProcessTree(tree_options, self._samplers)
        except ProcessLookupError:
            raise TargetError(f"no process with pid {self.pid}; `ps` lists those that run") from None
        except PermissionError:
            raise TargetError(f"process {self.pid} is hidden from this user; run storeprof as its user") from None
        self._closed = False

    def start(self) -> None:
        """Let a COMMAND run, and begin to look.

        Raises CommandNotFound or CommandNotExecutable.
        """
        if self._command:
            self._command.release()
        self._tree.start()

    def step(self) -> None:
        """Take what the samplers have seen; forget what is too old."""
        if not self._closed:
            self._tree.step()
            self.feed.forget(time.monotonic_ns())

    def alive(self) -> bool:
        """Whether the program is still there."""
        return not self._closed and self._tree.alive() and not (self._command and self._command.ended())

    def close(self) -> None:
        """Let go of a process that was attached to; end a COMMAND."""
        if self._closed:
            return
        self._closed = True
        self._tree.stop()
        if self._command:
            for number, patience_s in ESCALATION:
                if self._command.ended():
                    break
                self._command.send(number)
                self._command.wait(patience_s)
            self._command.reap()


def _start(command: Sequence[str]) -> HeldCommand:
    """Start COMMAND without the terminal, which is ours to draw on."""
    nothing = os.open(os.devnull, os.O_RDWR)
    kept = {fd: os.dup(fd) for fd in (0, 2)}
    try:
        for fd in kept:
            os.dup2(nothing, fd)
        return HeldCommand(command, env_additions={"STOREPROF_RECORD": "1"}, stdout=nothing)
    finally:
        for fd, copy in kept.items():
            os.dup2(copy, fd)
            os.close(copy)


def _command_line(pid: int) -> Sequence[str]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ()
    return [word.decode(errors="replace") for word in words if word]


def _short(command: Sequence[str]) -> str:
    """A command line without the folders of the program."""
    return " ".join([Path(command[0]).name, *command[1:]]) if command else ""
