r"""`malloc_history`: who allocated what is alive, of a program started with MallocStackLogging.

    -allBySize, -allByCount   n "calls for" bytes "bytes: thread_" id " | " frame { " | " frame }     (outermost first)
    -allEvents, ADDRESS       "ALLOC" start "-" end "[size=" n "]: thread_" id " | " frames
                              "FREE " start "-" end "…: thread_" id " | " frames
    -callTree                 as `sample`'s tree, each node with count "(" size ")" before its symbol, sizes rounded
    ADDRESS (10.4)            "Call [2] [arg=24]: thread_" id "|" frames; further lines of it begin in " | " or anywhere

A frame is a symbol, since macOS 12 with `0x… (image)` before it, and with file and line behind it where they are known.
What is alive is what was allocated and not freed. The counts of a call tree are exact; bytes that are a difference of
rounded ones are marked `rounded`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.macos.report_header import ReportHeader
from storeprof.collect.macos.sample import listed_frame, symbol_frame
from storeprof.collect.macos.tool import mac_tool
from storeprof.collect.tool_output import CutShort, Frame, Lines, number, size_bytes

_CALLS: Final = re.compile(r"(?P<count>[\d,]+) calls? for (?P<bytes>[\d,]+) bytes?: (?P<stack>.*)")
_EVENT: Final = re.compile(
    r"(?P<what>ALLOC|FREE|VM_ALLOC|VM_FREE)\s+(?P<start>0x[0-9a-f]+)(?:-(?P<end>0x[0-9a-f]+))?"
    r"(?:\s*\[size=(?P<size>\d+)\])?[^:]*:\s*(?P<stack>.*)"
)
_OLD: Final = re.compile(r" *Call \[\d+\] \[arg=(?P<bytes>\d+)\]: (?P<stack>.*)")
_NODE: Final = re.compile(r"(?P<decoration>[ +!:|]*)(?P<count>[\d,]+) \((?P<size>[\d.,]+ ?\w*)\) (?P<what>\S.*)")
_NO_FRAME: Final = re.compile(r"0x[0-9a-f]{1,4}")
_STARTS: Final = re.compile(r"\d[\d,]* calls? for |ALLOC|FREE |VM_ALLOC|VM_FREE| *Call \[\d")


@dataclass(frozen=True, slots=True)
class MallocHistoryOptions:
    """Which process."""

    pid: int


@dataclass(frozen=True, slots=True)
class LiveSite:
    """Blocks alive that one stack (leaf first) allocated on one thread."""

    frames: tuple[Frame, ...]
    count: int
    bytes: int
    thread: str | None = None
    rounded: bool = False


@dataclass(slots=True)
class MallocHistory:
    """What is alive, by stack; `events` counts single allocations and frees that were listed."""

    header: ReportHeader = field(default_factory=ReportHeader)
    sites: list[LiveSite] = field(default_factory=list)
    events: int = 0
    cut_short: CutShort | None = None


class MallocHistoryTool:
    """The collector `malloc_history`: only for a program that was started with MallocStackLogging=1."""

    name = "malloc_history"

    def available(self, context: Context) -> Availability:
        """Whether this is a Mac."""
        return mac_tool(
            "malloc_history", needs_root=False, hint="the program must have been started with MallocStackLogging=1"
        )

    def command(self, options: MallocHistoryOptions) -> list[str]:
        """Build `malloc_history PID -allBySize`: what is alive, exact to the byte."""
        return ["malloc_history", str(options.pid), "-allBySize"]

    def parse(self, output: Iterable[str]) -> MallocHistory:
        """Read the report; raises UnreadableLine naming the line it can't read."""
        return parse_malloc_history(output)


def parse_malloc_history(source: Iterable[str]) -> MallocHistory:
    """Read a report of `malloc_history`; raises UnreadableLine for a line that is none."""
    lines = Lines(source)
    report = MallocHistory()
    live: dict[str, tuple[int, str | None, tuple[Frame, ...]]] = {}
    last = 0
    while (line := lines.peek()) is not None:
        next(lines)
        if line.startswith("Binary Images:"):
            break
        if found := _CALLS.match(line) or _OLD.match(line):
            last = lines.number
            count = number(found["count"], lines) if "count" in found.groupdict() else 1
            thread, frames = _stack(lines, found["stack"])
            report.sites.append(LiveSite(frames, count, number(found["bytes"], lines), thread))
        elif found := _EVENT.match(line):
            last = lines.number
            report.events += 1
            _event(lines, found, live)
        elif _NODE.fullmatch(line) and not report.sites:
            last = lines.number
            _Tree(lines, report).read(line)
        elif _STARTS.match(line):
            raise lines.wrong("no call of malloc_history", line)
        else:
            report.header.feed(line, lines)
    _add_live(report, live)
    if not last:
        raise lines.wrong("no report of malloc_history: it has no allocation")
    if lines.unended is not None and report.cut_short is None:
        report.cut_short = CutShort(lines.number, "the allocation that it ends in was left out")
    return report


def _stack(lines: Lines, text: str) -> tuple[str | None, tuple[Frame, ...]]:
    """Thread and frames (leaf first); a stack may go on in the lines that follow."""
    while (following := lines.peek()) is not None and re.match(r"\s*\|\s", following):
        text += following
        next(lines)
    names = [name.strip() for name in text.split("|")]
    thread = None
    if names and names[0].startswith("thread_"):
        thread = names.pop(0).removeprefix("thread_").rstrip(":").strip()
    frames = tuple(listed_frame(name) for name in reversed(names) if name and not _NO_FRAME.fullmatch(name))
    return thread, frames


def _event(lines: Lines, found: re.Match[str], live: dict[str, tuple[int, str | None, tuple[Frame, ...]]]) -> None:
    thread, frames = _stack(lines, found["stack"])
    if found["what"].endswith("FREE"):
        live.pop(found["start"], None)
        return
    if found["size"]:
        size = number(found["size"], lines)
    elif found["end"]:
        size = int(found["end"], 16) - int(found["start"], 16) + 1
    else:
        raise lines.wrong("an allocation without a size", found[0])
    if size < 0:
        raise lines.wrong("an allocation that ends before it begins", found[0])
    live[found["start"]] = (size, thread, frames)


def _add_live(report: MallocHistory, live: dict[str, tuple[int, str | None, tuple[Frame, ...]]]) -> None:
    sums: dict[tuple[str | None, tuple[Frame, ...]], list[int]] = {}
    for size, thread, frames in live.values():
        both = sums.setdefault((thread, frames), [0, 0])
        both[0] += 1
        both[1] += size
    report.sites += [LiveSite(frames, both[0], both[1], thread) for (thread, frames), both in sums.items()]


@dataclass(slots=True)
class _Open:
    column: int
    frame: Frame | None
    count: int
    bytes: int
    left: int
    left_bytes: int
    children: int
    thread: str | None


class _Tree:
    """A call tree: depth is the column of the count, as in `sample`."""

    def __init__(self, lines: Lines, report: MallocHistory) -> None:
        self._lines = lines
        self._report = report
        self._path: list[_Open] = []

    def read(self, first: str) -> None:
        line: str | None = first
        while line is not None and line.strip():
            found = _NODE.fullmatch(line)
            if found is None:
                if line[:1] in " +!:|":
                    raise self._lines.wrong("no node of a call tree", line)
                break
            self._node(found, line)
            line = self._lines.peek()
            if line is not None and line.strip() and (_NODE.fullmatch(line) or line[:1] in " +!:|"):
                next(self._lines)
            else:
                break
        if line is None:
            lost = sum(one.left for one in self._path)
            self._path = []
            self._report.cut_short = CutShort(
                self._lines.number, f"the call tree goes on; {lost} blocks have no whole stack"
            )
        self._close(-1)

    def _node(self, found: re.Match[str], line: str) -> None:
        column = len(found["decoration"])
        count, size = number(found["count"], self._lines), size_bytes(found["size"])
        if size is None:
            raise self._lines.wrong("no size", line)
        self._close(column)
        if self._path:
            above = self._path[-1]
            above.left -= count
            above.left_bytes -= size
            above.children += 1
            if above.left < 0:
                raise self._lines.wrong(
                    f"it and its siblings have more than the {above.count} blocks of their caller", line
                )
        total = "<< TOTAL >>" in found["what"]
        thread = re.match(r"Thread_(\S+)", found["what"])
        frame = None if total or thread else symbol_frame(found["what"])
        inherited = self._path[-1].thread if self._path else None
        self._path.append(
            _Open(column, frame, count, size, count, size, 0, thread[1].rstrip(":") if thread else inherited)
        )

    def _close(self, column: int) -> None:
        while self._path and self._path[-1].column >= column:
            one = self._path[-1]
            if one.left > 0:
                frames = tuple(node.frame for node in reversed(self._path) if node.frame is not None)
                rounded = one.children > 0 or one.bytes >= 1000
                self._report.sites.append(LiveSite(frames, one.left, max(0, one.left_bytes), one.thread, rounded))
            self._path.pop()
