r"""Collapsed stacks: one line a stack, its frames from the outermost in, a `;` between them, a count at the end.

    stackcollapse-*.pl, perf, async-profiler, austin …    main;kv::Store::put(int);malloc 42
    py-spy record --format raw                            thread (123): writer;put (store.py:12) 7

What is counted (samples, microseconds, bytes) the file does not say. py-spy's frames carry file and line, and with
--threads the outermost one is the thread; austin's begin with `P1234;T1234` or `P1234;T0:1234`. Marks of perf's
collapser (`_[k]`, `_[i]`, `_[j]`) are kernel, inlined and JIT code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Frame, FrameKind, Lines, UnreadableLine

_PLACED: Final = re.compile(r"(?P<function>.+) \((?P<file>[^()]*?[^():])(?::(?P<line>\d{1,9}))?\)")
_THREAD: Final = re.compile(r"thread \((?P<id>0x[0-9A-Fa-f]+|\d+)\)(?:: (?P<name>.*))?")
_PROCESS: Final = re.compile(r"process (?P<pid>\d{1,9}):?\s*(?P<command>.*)")
_AUSTIN: Final = re.compile(r"(?P<kind>[PT])(?:\d+:)?(?P<id>(?:0x)?[0-9a-fA-F]{1,16})")
_MARK: Final = re.compile(r"_\[([kij])\]$")
_PYTHON: Final = re.compile(r"\.py(:\d+)?\)$|\(<frozen ")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]*)?")
_TWO_COUNTS: Final = re.compile(r" [0-9]+(\.[0-9]*)? [0-9]+(\.[0-9]*)?\s*$")
MOST_FRAMES: Final = 10_000


@dataclass(frozen=True, slots=True)
class CollapsedStack:
    """One line: frames leaf first, its count, and the thread and process it names, if any."""

    frames: tuple[Frame, ...]
    count: float
    thread: str | None = None
    thread_name: str | None = None
    pid: int | None = None
    line: int = 0


@dataclass(slots=True)
class CollapsedStacks:
    """All lines; `python`: frames carry Python files and lines, as py-spy writes them.

    `unended`: the last line has no line end, so its count could be cut in its middle.
    """

    stacks: list[CollapsedStack] = field(default_factory=list)
    python: bool = False
    unended: bool = False
    cut_short: CutShort | None = None

    @property
    def total(self) -> float:
        """Sum of the counts."""
        return sum(one.count for one in self.stacks)


def parse_collapsed(source: Iterable[str]) -> CollapsedStacks:
    """Read collapsed stacks; raises UnreadableLine for a line without a count."""
    lines = Lines(source)
    found = CollapsedStacks()
    known: dict[str, Frame] = {}
    doubled = 0
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        found.stacks.append(_stack(line, lines, known))
        doubled += _TWO_COUNTS.search(line) is not None
    if doubled and doubled == len(found.stacks):
        raise UnreadableLine(
            found.stacks[0].line, "two counts a stack, so it is a difference of two profiles: import each by itself"
        )
    if lines.unended is not None and lines.unended.strip():
        found.cut_short = _last(lines, found, known)
    if not found.stacks:
        raise lines.wrong("no collapsed stack in it")
    found.python = any(frame.kind == "python" for frame in known.values())
    return found


def _last(lines: Lines, found: CollapsedStacks, known: dict[str, Frame]) -> CutShort | None:
    """Take a last line without a line end, which many writers leave out, unless it is no whole stack."""
    lines.number += 1
    try:
        found.stacks.append(_stack(lines.unended or "", lines, known))
    except UnreadableLine:
        return CutShort(lines.number - 1, "its last line ends within a stack: it was left out")
    found.unended = True
    return None


def _stack(line: str, lines: Lines, known: dict[str, Frame]) -> CollapsedStack:
    path, _, count = line.rstrip().rpartition(" ")
    if not path.strip() or not _NUMBER.fullmatch(count) or len(count) > 40 or float(count) >= 1e18:
        raise lines.wrong("no collapsed stack: it must end in a blank and a count", line)
    names = path.split(";")
    if len(names) > MOST_FRAMES:
        raise lines.wrong(f"a stack of {len(names)} frames")
    thread = name = pid = None
    while names:
        process = _PROCESS.fullmatch(names[0])
        found = _THREAD.fullmatch(names[0])
        austin = _AUSTIN.fullmatch(names[0]) if len(names) > 1 else None
        if process and pid is None:
            pid = int(process["pid"])
        elif found and thread is None:
            thread, name = found["id"], found["name"]
        elif austin and austin["kind"] == "P" and pid is None and thread is None and austin["id"].isdigit():
            pid = int(austin["id"])
        elif austin and austin["kind"] == "T" and thread is None and (pid is not None or lines.number > 1):
            thread = austin["id"]
        else:
            break
        names.pop(0)
    frames = []
    for one in reversed(names):
        if one:
            frame = known.get(one)
            if frame is None:
                frame = known[one] = _frame(one)
            frames.append(frame)
    if pid is not None and pid >= 1 << 31:
        pid = None
    return CollapsedStack(
        tuple(frames), int(count) if count.isdigit() else float(count), thread, name, pid, lines.number
    )


def _frame(name: str) -> Frame:
    mark = _MARK.search(name)
    kind: FrameKind = "kernel" if mark and mark[1] == "k" else "native"
    if mark:
        name = name[: mark.start()] or name
    found = _PLACED.fullmatch(name)
    if found and ("/" in found["file"] or "." in found["file"] or found["file"].startswith("<")):
        python = bool(_PYTHON.search(name)) or found["file"].startswith("<")
        line = int(found["line"]) if found["line"] else None
        if python:
            return Frame(found["function"], None, found["file"], line, "python")
        return Frame(
            found["function"], found["file"] if line is None else None, found["file"] if line else None, line, kind
        )
    return Frame(name, kind=kind)
