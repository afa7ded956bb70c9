"""A program that speaks the slice protocol (docs/formats/slices.md): told "run N SEED", it prints what it did."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from storeprof.collect.counted_process import NOT_ASKED, start_counted
from storeprof.collect.output_relay import open_pipe
from storeprof.collect.tool_process import start_tool
from storeprof.collect.whole_run import ended_within
from storeprof.errors import CollectorError

READY = "ready storeprof-slices 1"
ENVIRONMENT = {"STOREPROF_SLICES": "1"}
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Slice:
    """What a worker did in one slice. Latencies in ns by operation; counts by name; CPU time None when not stated."""

    ops: int
    seconds: float
    cpu_s: float | None
    latency_ns: Mapping[str, Array]
    counts: Mapping[str, float]


def parse_slice(line: str) -> Slice:
    """Read `did ops=N seconds=S [cpu=S] [latency.NAME=ns,ns,…] [count.NAME=N]`.

    Raises CollectorError, which names the part that can't be read.
    """
    word, _, rest = line.strip().partition(" ")
    if word != "did":
        raise CollectorError(f"a slice ends with a line `did ops=N seconds=S`, not {line[:60]!r}")
    plain: dict[str, float] = {}
    latency: dict[str, Array] = {}
    counts: dict[str, float] = {}
    for part in rest.split():
        name, _, value = part.partition("=")
        kind, _, what = name.partition(".")
        try:
            if kind == "latency" and what:
                latency[what] = np.array(value.split(",") if value else [], dtype=np.float64)
            elif kind == "count" and what:
                counts[what] = float(value)
            else:
                plain[name] = float(value)
            said: Any = latency[what] if kind == "latency" and what else float(value)
        except ValueError:
            said = math.nan
        if not np.isfinite(said).all():
            raise CollectorError(f"{part[:60]!r} in the line of a slice is no number")
    if plain.get("ops", 0) <= 0 or plain.get("seconds", 0) <= 0:
        raise CollectorError(f"a slice needs ops=N and seconds=S above zero: {line[:60]!r}")
    return Slice(int(plain["ops"]), plain["seconds"], plain.get("cpu"), latency, counts)


class SliceWorker:
    """A running worker. Its lines that are no `did` are dropped; its standard error goes to a file.

    `by_child`: `argv` starts the program that does the work, and passes its input and output through. `counted`:
    `calls` counts its system calls from its start, which costs a little.

    Raises CollectorError when it can't be started, ends, falls silent, or says what can't be read.
    """

    def __init__(
        self,
        argv: Sequence[str],
        stderr: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_s: float = 60.0,
        by_child: bool = False,
        counted: bool = False,
    ) -> None:
        self.calls = NOT_ASKED
        self._name, self._stderr, self._timeout_s = Path(argv[0]).name, stderr, timeout_s
        self._unread = b""
        orders, self._orders = open_pipe()
        self._answers, answers = open_pipe()
        with open(stderr, "wb") as file:
            try:
                how: dict[str, Any] = {"stdin": orders, "stdout": answers, "stderr": file, "cwd": cwd}
                how["env"] = {**ENVIRONMENT, **(env or {})}
                if counted:
                    self._process, self.calls = start_counted(argv, **how)
                else:
                    self._process = start_tool(argv, **how)
            except BaseException:
                self._close_pipes()
                raise
            finally:
                os.close(orders)
                os.close(answers)
        self.pid = self._process.pid
        try:
            while self._line() != READY:
                pass
        except BaseException:
            self.kill()
            raise
        self._working = _child_in_group(self.pid) if by_child else self.pid

    @cached_property
    def cpus(self) -> set[int]:
        """The CPUs its main thread may run on; empty when it has ended or the platform does not say."""
        with contextlib.suppress(OSError, AttributeError):
            return os.sched_getaffinity(self._working) if self._working else set()
        return set()

    def run(self, operations: int, seed: int, cpu: int | None = None) -> Slice:
        """Let it do so many operations, those of `seed`; its main thread wakes up on `cpu`, if one is given.

        Only the wake-up is bound: the kernel decides where to wake a thread within the write that wakes it, and after
        that all CPUs are allowed again, so that nothing waits for a CPU while another is free.
        """
        try:
            self._allow({cpu} if cpu is not None else None)
            os.write(self._orders, b"run %d %d\n" % (operations, seed))
        except BrokenPipeError:
            raise self._gone() from None
        finally:
            self._allow(self.cpus if cpu is not None else None)
        while not (line := self._line()).startswith("did "):
            pass
        return parse_slice(line)

    def _allow(self, cpus: set[int] | None) -> None:
        if cpus:
            with contextlib.suppress(OSError):  # it has just ended: the next line read says so
                os.sched_setaffinity(self._working, cpus)

    def end_input(self) -> None:
        """Ask it to end."""
        if self._orders >= 0:
            os.close(self._orders)
            self._orders = -1

    def close(self, timeout_s: float = 20.0) -> None:
        """End it by closing its standard input; kill its group when it does not end."""
        self.end_input()
        if ended_within(self._process, timeout_s):
            self._process.wait()
            self._close_pipes()
        else:
            self.kill()

    def kill(self) -> None:
        """End it and what it started at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for descriptor in (self._orders, self._answers):
            if descriptor >= 0:
                os.close(descriptor)
        self._orders = self._answers = -1
        self.calls.close()

    def _line(self) -> str:
        out = self._answers
        deadline = time.monotonic() + self._timeout_s
        pieces = [self._unread]
        while b"\n" not in pieces[-1]:
            if not select.select([out], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise CollectorError(f"{self._name} was silent for {self._timeout_s:.0f} s; {self._hint()}")
            piece = os.read(out, 1 << 16)
            if not piece:
                raise self._gone()
            pieces.append(piece)
        line, _, self._unread = b"".join(pieces).partition(b"\n")
        return line.decode(errors="replace").strip()

    def _gone(self) -> CollectorError:
        if not ended_within(self._process, 5.0):  # it closed its output and lives on
            self.kill()
        status = self._process.wait()
        return CollectorError(f"{self._name} ended with status {status} in the middle of a duel; {self._hint()}")

    def _hint(self) -> str:
        words = self._stderr.read_text(errors="replace").strip().rsplit("\n", 1)[-1][-200:]
        return f"its last words: {words}" if words else "does it speak the slice protocol (docs/formats/slices.md)?"


def _child_in_group(pid: int) -> int:
    """The child of a process that has stayed in its group; 0 when there is none, or the kernel does not say."""
    with contextlib.suppress(OSError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()):
            if os.getpgid(child) == pid:
                return child
    return 0
