"""What tools share that run in a pass of their own: a run of the same workload that no timing is taken from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from storeprof.collect.collector import Availability, Context
from storeprof.collect.python_command import PythonCommand
from storeprof.collect.tool_output import CutShort, Frame

# What can be asked for with --collect, in the order of the report, and what each is.
GROUPS: Final[Mapping[str, str]] = {
    "cpu": "stacks on the CPU",
    "offcpu": "where threads wait, and the exact partition of their time",
    "io": "latency of the disk, system calls",
    "memory": "which mappings grow",
    "heap": "who allocates what, and what was live at the peak",
    "leaks": "what was never freed",
    "counters": "cache misses and other counters",
    "faults": "page faults by the function that touches the page",
    "entries": "calls and latency of named functions",
}


@dataclass(frozen=True, slots=True)
class Target:
    """The program: a COMMAND to start again, or a process that runs (`pid`).

    `program` is its file, `python` how to start it under another module when it is a Python program, `sanitizer`
    and `gprof` what the build carries. `entries`: patterns of functions.
    """

    command: tuple[str, ...] = ()
    pid: int | None = None
    program: Path | None = None
    python: PythonCommand | None = None
    sanitizer: str | None = None
    gprof: bool = False
    entries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PassOptions:
    """One pass: `output` is the file that the tool writes (others have its name and a suffix)."""

    target: Target
    output: Path
    pid: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a tool, with its place: `value` in `unit` (bytes, calls, s, %, events).

    `stack` is (function, file, line) from the innermost frame outwards; empty where the number has no place.
    """

    name: str
    value: float
    unit: str
    stack: tuple[tuple[str, str | None, int | None], ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A command to run after the pass, whose standard output goes to `output`."""

    argv: list[str]
    output: Path


@dataclass(frozen=True, slots=True)
class PassResult:
    """Figures of a pass, largest first within each name, and what has to be known to read them."""

    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class PassTool(Protocol):
    """One tool for passes; the four methods of a collector, over uniform options.

    `collects`: the groups it can fill. `attaches`: it is started beside a process (held before exec, or running)
    instead of starting COMMAND itself. `follows_children`: whether its figures have the program's children in them.
    `own_processes`: names of its own processes, which are not told to end when the program is.
    """

    name: str
    collects: frozenset[str]
    attaches: bool
    follows_children: bool
    own_processes: frozenset[str]
    adds: str
    costs: str

    def available(self, context: Context) -> Availability:
        """Whether the tool can run here at all."""
        ...

    def unfit(self, target: Target) -> str | None:
        """Why it can't look at this program; None when it can."""
        ...

    def command(self, options: PassOptions) -> list[str]:
        """The command line that runs COMMAND under the tool, or attaches the tool."""
        ...

    def environment(self, options: PassOptions) -> dict[str, str]:
        """What is added to the environment of that command."""
        ...

    def readings(self, options: PassOptions) -> list[Reading]:
        """What is to be run afterwards to get text from the tool's own file."""
        ...

    def parse(self, output: Path) -> PassResult:
        """Figures from the files of a pass (`output` as in its options); raises CollectorError naming the line."""
        ...


class StartsCommand:
    """What most tools for passes have in common: they start COMMAND, and their output is text already."""

    attaches = False
    follows_children = False
    own_processes: frozenset[str] = frozenset()

    def unfit(self, target: Target) -> str | None:
        """They need a program to start."""
        return None if target.command else "it works on a program that storeprof starts, not on one that runs already"

    def environment(self, options: PassOptions) -> dict[str, str]:
        """Nothing to add."""
        del options
        return {}

    def readings(self, options: PassOptions) -> list[Reading]:
        """Nothing to read afterwards."""
        del options
        return []


def stack_of(frames: Sequence[Frame]) -> tuple[tuple[str, str | None, int | None], ...]:
    """The stack of a parser's frames."""
    return tuple((frame.function, frame.file, frame.line) for frame in frames)


def cut_short_notes(cut_short: CutShort | None) -> list[str]:
    """What is to be said of a file that ended too early."""
    return [f"the output ends after line {cut_short.line}: {cut_short.lost} is missing"] if cut_short else []
