"""Python stacks by py-spy, without stopping the program, of interpreters that the observer can't read.

py-spy says when a thread's stack changed, seen at its own rate, and not whether the thread ran: its idle detection
needs the program stopped. So it is told to keep idle threads, and the observer's looks say when a thread was running.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from storeprof.collect.collector import Availability, Context
from storeprof.errors import CollectorError

# Costs 0.2 to 0.5 % of a CPU with a few threads; a function between two samples is missed, but not its share.
RATE_HZ: Final = 50
USE_SUPPORTED: Final = "run the program under Python 3.11 to 3.13"
REMEDY: Final = f"install it beside storeprof (pip install py-spy), or {USE_SUPPORTED}"
_THREAD = re.compile(r"thread \((0x[0-9A-Fa-f]+)\)(?:: (.*))?$")


@dataclass(frozen=True, slots=True)
class PySpyOptions:
    """The process to look at, and the file that py-spy writes when it ends."""

    pid: int
    output: Path
    rate_hz: int = RATE_HZ


@dataclass(frozen=True, slots=True)
class PySpyStack:
    """What one thread's stack was from `start_us` to `end_us` after py-spy's start.

    `thread` is the pthread's address, `name` Python's name for it; `frames` are (function, file, line), leaf first.
    """

    thread: int
    name: str
    start_us: int
    end_us: int
    frames: tuple[tuple[str, str, int], ...]


class PySpy:
    """The collector `py-spy`."""

    name = "py-spy"

    def available(self, context: Context) -> Availability:
        """Whether it is installed: in PATH, or beside this interpreter."""
        if _program() is None:
            return Availability(False, "py-spy is not installed", REMEDY)
        return Availability(True)

    def command(self, options: PySpyOptions) -> list[str]:
        """Build `py-spy record` for one process."""
        argv = [_program() or self.name, "record", "--pid", str(options.pid), "--output", str(options.output)]
        argv += ["--format", "chrometrace", "--rate", str(options.rate_hz)]
        return [*argv, "--nonblocking", "--idle", "--threads", "--full-filenames"]

    def parse(self, output: str) -> list[PySpyStack]:
        """Turn a trace of begin and end events into stacks; CollectorError when it is none."""
        try:
            events = json.loads(output)
            return [stack for events_of_thread in _by_thread(events) for stack in _stacks(events_of_thread)]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise CollectorError(f"py-spy's trace can't be read ({type(error).__name__}: {error})") from None


def complaint(said: str, status: int) -> str:
    """What py-spy says is wrong, in one line, without the backtrace that follows."""
    errors = [line.removeprefix("Error: ") for line in said.splitlines() if line.startswith("Error: ")]
    return errors[0] if errors else f"it ended with status {status}"


def _program() -> str | None:
    beside = Path(sys.executable).with_name("py-spy")
    return shutil.which("py-spy") or (str(beside) if beside.exists() else None)


def _by_thread(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    threads: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        threads.setdefault(event["tid"], []).append(event)
    return list(threads.values())


def _stacks(events: list[dict[str, Any]]) -> list[PySpyStack]:
    """Stacks of one thread, in order of time; the outermost frame stands for the thread itself."""
    found: list[PySpyStack] = []
    open_frames: list[tuple[str, str, int]] = []
    since = 0
    for event in events:
        at = int(event["ts"])
        if at > since and len(open_frames) > 1:
            thread, name = _thread(open_frames[0][0])
            found.append(PySpyStack(thread, name, since, at, tuple(reversed(open_frames[1:]))))
        since = at
        if event["ph"] == "B":
            place = event["args"]
            open_frames.append((event["name"], place["filename"], int(place["line"])))
        else:
            open_frames.pop()
    return found


def _thread(label: str) -> tuple[int, str]:
    found = _THREAD.match(label)
    if found is None:
        raise ValueError(f"{label!r} is no thread")
    return int(found[1], 16), found[2] or ""
