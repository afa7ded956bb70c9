r"""`leaks`: memory that nothing points to any more.

    report = head "Process N: n nodes malloced for k KB" "Process N: n leaks for b total leaked bytes." { body }

Three bodies, by the version of the report:

    2.0, 3.0, -list    "Leak: 0x… size=N zone: … [type]" { hex dump } [ "Call stack: [thread …]: | f | g" ], or frames
           a line each, numbered, below "Call stack:"
    4.0    a tree: count "(" size ")" "<< TOTAL >>", below it "ROOT LEAK: " or "ROOT CYCLE: " what "[" bytes "]",
           and below these what is lost through them
    4.0, multi-line stacks    "STACK OF n INSTANCES OF 'ROOT LEAK: what':" frames, outermost first, "====", such a tree

A tree node's count and size include its descendants' and the size is rounded; the bytes in brackets are its own and
exact, so the sums are made of those. Prose may stand around all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.macos.report_header import ReportHeader
from storeprof.collect.macos.sample import listed_frame
from storeprof.collect.macos.tool import mac_tool
from storeprof.collect.tool_output import CutShort, Frame, Lines, number, size_bytes

_NODES: Final = re.compile(r"Process (?P<pid>\d{1,9}): (?P<nodes>[\d,]+) nodes? malloced for (?P<kb>[\d,]+) KB")
_TOTAL: Final = re.compile(
    r"Process (?P<pid>\d{1,9}): (?P<leaks>[\d,]+) leaks? for (?P<bytes>[\d,]+) total leaked bytes"
)
_OLD: Final = re.compile(
    r"Leak: (?P<address>0x[0-9a-fA-F]+)\s+size=(?P<size>\d+)(?:\s+zone: (?P<zone>\S+))?\s*(?P<what>.*)"
)
_OLD_LOOSE: Final = re.compile(r"Leak: 0x")
_CALL_STACK: Final = re.compile(r"\s*Call stack:(?: \[thread (?P<thread>[^\]]+)\]:)?\s*\|?(?P<frames>.*)")
_ROW: Final = re.compile(r"(?P<indent>\s*)(?P<count>[\d,]+) \((?P<size>[\d.,]+ ?\w*)\) (?P<what>\S.*)")
_OWN: Final = re.compile(r"\[(?P<own>\d+)\](?:\s|$)")
_ROOT: Final = re.compile(r"(?P<kind>ROOT LEAK|ROOT CYCLE|CYCLE BACK TO|INDIRECT LEAK)\b:?\s*(?P<what>.*)")
_GROUP: Final = re.compile(
    r"STACK OF (?P<count>[\d,]+) INSTANCES? OF '(?P<kind>ROOT LEAK|ROOT CYCLE): ?(?P<what>.*)':?\s*$"
)
_FRAME: Final = re.compile(
    r"\s*(?P<index>\d+)\s+(?P<image>\S.*?)\s{2,}(?:(?P<address>0x[0-9a-fA-F]+)\s+)?(?P<symbol>\S.*?)(?: \+ \d+)?"
    r"(?:\s{2,}(?P<file>\S+?):(?P<line>\d{1,9})(?::\d+)?)?\s*"
)
_ADDRESS: Final = re.compile(r"\s*0x[0-9a-fA-F]+(?=>|\s|$)")


@dataclass(frozen=True, slots=True)
class LeaksOptions:
    """Which process; `memory_graph` (a file to be written) keeps the heap for later questions."""

    pid: int
    memory_graph: Path | None = None


@dataclass(frozen=True, slots=True)
class Leak:
    """Leaked blocks of one kind and stack (leaf first; empty without MallocStackLogging).

    `count` and `bytes` include what is lost through them; `bytes` is exact unless `rounded`.
    """

    what: str
    kind: str
    count: int
    bytes: int
    frames: tuple[Frame, ...] = ()
    rounded: bool = False
    thread: str | None = None


@dataclass(slots=True)
class LeaksReport:
    """A report: the totals it states (None where it does not), and what they are made of, as far as it is listed."""

    header: ReportHeader = field(default_factory=ReportHeader)
    pid: int | None = None
    nodes: int | None = None
    heap_bytes: int | None = None
    count: int | None = None
    bytes: int | None = None
    leaks: list[Leak] = field(default_factory=list)
    cut_short: CutShort | None = None


class Leaks:
    """The collector `leaks`: it stops the process while it looks, for seconds where the heap is large."""

    name = "leaks"

    def available(self, context: Context) -> Availability:
        """Whether this is a Mac; stacks are known only of programs started with MallocStackLogging=1."""
        return mac_tool("leaks", needs_root=False, hint="stacks need MallocStackLogging=1 in the program's environment")

    def command(self, options: LeaksOptions) -> list[str]:
        """Build `leaks PID`; its exit status is 1 when it found some."""
        graph = [f"--outputGraph={options.memory_graph}"] if options.memory_graph else []
        return ["leaks", *graph, str(options.pid)]

    def parse(self, output: Iterable[str]) -> LeaksReport:
        """Read the report; raises UnreadableLine naming the line it can't read."""
        return parse_leaks(output)


def parse_leaks(source: Iterable[str]) -> LeaksReport:
    """Read a report of `leaks`; raises UnreadableLine for a line that is none, and an output without totals."""
    lines = Lines(source)
    report = LeaksReport()
    reader = _Reader(lines, report)
    while (line := lines.peek()) is not None:
        next(lines)
        reader.line(line)
    if report.count is None and not report.leaks:
        raise lines.wrong("no report of leaks: it has neither totals nor leaks")
    reader.finish()
    report.pid = report.header.pid or report.pid
    return report


@dataclass(slots=True)
class _Root:
    """A root of a tree in the making: what it states, and the sums of the rows below it that were read."""

    what: str
    kind: str
    count: int
    stated: int
    exact: bool
    rows: int = 0
    own: int = 0
    indent: int = 0


class _Reader:
    def __init__(self, lines: Lines, report: LeaksReport) -> None:
        self._lines = lines
        self._report = report
        self._frames: tuple[Frame, ...] = ()
        self._root: _Root | None = None

    def line(self, line: str) -> None:
        lines, report = self._lines, self._report
        if found := _NODES.search(line):
            report.pid, report.nodes = int(found["pid"]), number(found["nodes"], lines)
            report.heap_bytes = number(found["kb"], lines) * 1024
        elif found := _TOTAL.search(line):
            report.pid = int(found["pid"])
            report.count, report.bytes = number(found["leaks"], lines), number(found["bytes"], lines)
        elif _OLD_LOOSE.match(line):
            self._old(line)
        elif found := _CALL_STACK.match(line):
            self._call_stack(found)
        elif found := _GROUP.match(line):
            self._close()
            self._frames = self._stack()
        elif line.startswith("STACK OF "):
            raise lines.wrong("no head of a stack", line)
        elif report.count is not None and (found := _ROW.fullmatch(line)):
            self._row(found)
        elif report.count is None or not re.match(r"\s*\d+ \(.*ROOT |\s*\d+ \(.*<< TOTAL", line):
            report.header.feed(line, lines)
        else:
            raise lines.wrong("no row of a tree of leaks", line)

    def finish(self) -> None:
        ended = self._lines.unended is not None
        self._close(cut=ended)
        report = self._report
        listed = sum(one.count for one in report.leaks)
        if report.count is not None and listed > report.count:
            raise self._lines.wrong(f"{listed} leaks are listed, the total has {report.count}")
        if report.count is not None and listed < report.count:
            lost = f"{listed} of {report.count} leaks are listed; the totals are the report's own"
            report.cut_short = CutShort(self._lines.number, lost)
        elif ended:
            report.cut_short = CutShort(self._lines.number, "what comes after that")

    def _old(self, line: str) -> None:
        found = _OLD.match(line)
        if found is None:
            raise self._lines.wrong("no leak", line)
        what = found["what"].strip() or "non-object"
        self._report.leaks.append(Leak(what, "ROOT LEAK", 1, number(found["size"], self._lines)))

    def _call_stack(self, found: re.Match[str]) -> None:
        if not self._report.leaks:
            raise self._lines.wrong("a call stack without its leak")
        last = self._report.leaks[-1]
        if found["frames"].strip():
            names = [name.strip() for name in found["frames"].split("|")]
            frames = tuple(
                listed_frame(one) for one in reversed(names) if one and not re.fullmatch(r"0x[0-9a-f]+", one)
            )
        else:
            frames = self._stack()
        self._report.leaks[-1] = Leak(
            last.what, last.kind, last.count, last.bytes, frames, last.rounded, found["thread"]
        )

    def _stack(self) -> tuple[Frame, ...]:
        """Frames up to the rule, leaf first; on one line in older versions."""
        frames: list[Frame] = []
        numbers: list[int] = []
        while (line := self._lines.peek()) is not None and line.strip() and not line.startswith("===="):
            if _ROW.fullmatch(line) or _OLD_LOOSE.match(line):
                break
            next(self._lines)
            if " | " in line:
                names = [name.strip() for name in line.split("|")[1:]]
                frames += [listed_frame(name) for name in names if name]
                continue
            found = _FRAME.fullmatch(line)
            if found is None:
                raise self._lines.wrong("no frame of a stack", line)
            symbol = found["symbol"]
            if found["address"] and re.fullmatch(r"0x[0-9a-f]+", symbol):
                symbol = found["address"]
            where = int(found["line"]) if found["line"] else None
            frames.append(Frame(symbol, found["image"], found["file"], where))
            numbers.append(int(found["index"][:9]))
        leaf_first = len(numbers) > 1 and numbers[0] < numbers[-1]
        return tuple(frames if leaf_first else reversed(frames))

    def _row(self, found: re.Match[str]) -> None:
        lines = self._lines
        indent = len(found["indent"].expandtabs())
        size = size_bytes(found["size"])
        if size is None:
            raise lines.wrong("no size", found[0])
        own = _OWN.search(found["what"])
        count = number(found["count"], lines)
        if "<< TOTAL >>" in found["what"]:
            self._close()
            return
        root = _ROOT.match(found["what"])
        if root and root["kind"].startswith("ROOT") and (self._root is None or indent <= self._root.indent):
            self._close()
            what = _ADDRESS.sub("", root["what"].split(" [")[0]).strip() or "non-object"
            exact = found["size"].endswith(("bytes", "byte"))
            self._root = _Root(what, root["kind"], count, size, exact, indent=indent)
        if self._root is not None and not (root and root["kind"] == "CYCLE BACK TO"):
            self._root.rows += 1
            self._root.own += int(own["own"]) if own and len(own["own"]) < 16 else 0

    def _close(self, *, cut: bool = False) -> None:
        """Make a leak of the root that was read; its bytes are the sum of its rows where all of them were there."""
        root, self._root = self._root, None
        if root is None:
            return
        whole = root.rows == root.count and root.own > 0
        if cut and not whole and not root.exact:
            self._report.cut_short = CutShort(self._lines.number, "the bytes of the last leak are rounded")
        size = root.own if whole else root.stated
        leak = Leak(root.what, root.kind, root.count, size, self._frames, not (whole or root.exact))
        self._report.leaks.append(leak)
