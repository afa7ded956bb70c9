r"""`spindump`: stacks of all processes at a fixed interval, user and kernel frames, merged (heavy format).

    report  = head { "Process:" name "[" pid "]" { key ":" value } { thread } [ "Binary Images:" … ] }
    thread  = "  Thread 0x" id [ 'DispatchQueue "' name '"(' n ')' ] [ 'Thread name "' name '"' ] n "samples (…)" …
              { node }
    node    = blanks [ "*" ] count symbol [ "+" n ] "(" image "+" n ")" "[" address "]" [ "(" state ")" ]

A node's depth is the column of its count; kernel frames have a star before it. What a node's children leave is its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.macos.sample import SampledThread, StackCount
from storeprof.collect.tool_output import CutShort, Frame, Lines, size_bytes

STEP: Final = 2
_PROCESS: Final = re.compile(r"(?:Process|Command):\s+(?P<name>.+?)(?: \[(?P<pid>\d{1,9})\])?\s*$")
_STEPS: Final = re.compile(r"Steps:\s+(?P<steps>\d+)\s+\((?P<ms>\d+(?:\.\d+)?)ms sampling interval\)")
_THREAD: Final = re.compile(r"\s{1,4}Thread (?P<id>0x[0-9a-f]+)\s+(?P<rest>.*)$")
_SAMPLES: Final = re.compile(r"(?P<count>\d+) samples? \(")
_QUEUE: Final = re.compile(r'DispatchQueue "(?P<queue>[^"]*)"')
_NAME: Final = re.compile(r'(?:Thread name|name) "(?P<name>[^"]*)"')
_NODE: Final = re.compile(r"(?P<blanks> *)(?P<star>\*?)(?P<count>\d{1,9})\s+(?P<what>\S.*)")
_SYMBOL: Final = re.compile(
    r"(?P<symbol>.+?)(?: \+ \d+)? \((?P<image>.+?)(?: \+ \d+)?\) \[(?P<address>0x[0-9a-f]+)\](?: \((?P<state>.*)\))?.*"
)
_KEYS: Final = re.compile(r"(?P<key>[A-Z][\w /]*):\s+(?P<value>.*)$")


@dataclass(slots=True)
class SpunProcess:
    """A process with its threads."""

    name: str
    pid: int | None
    path: str | None = None
    footprint_bytes: int | None = None
    threads: list[SampledThread] = field(default_factory=list)


@dataclass(slots=True)
class SpindumpReport:
    """All processes; `interval_ns` between samples."""

    processes: list[SpunProcess] = field(default_factory=list)
    interval_ns: int | None = None
    values: dict[str, str] = field(default_factory=dict)
    cut_short: CutShort | None = None


@dataclass(slots=True)
class _Open:
    frame: Frame
    left: int
    line: int
    count: int


def parse_spindump(source: Iterable[str]) -> SpindumpReport:
    """Read a report of spindump; raises UnreadableLine for a node that is none and counts that do not add up."""
    lines = Lines(source)
    report = SpindumpReport()
    reader = _Reader(lines, report)
    for line in lines:
        reader.line(line)
    if not report.processes:
        raise lines.wrong("no report of spindump: no process in it")
    reader.end(cut=reader.in_tree)
    return report


class _Reader:
    def __init__(self, lines: Lines, report: SpindumpReport) -> None:
        self._lines = lines
        self._report = report
        self._thread: SampledThread | None = None
        self._path: list[_Open] = []
        self._margin: int | None = None

    @property
    def in_tree(self) -> bool:
        return self._thread is not None

    def line(self, line: str) -> None:
        report = self._report
        if not line.strip():
            self.end()
        elif found := _THREAD.match(line):
            self._begin(found)
        elif self._thread is not None and (found := _NODE.fullmatch(line)):
            self._node(found, line)
        elif self._thread is not None and line[0] == " ":
            if re.match(r"\s*\*?\d+\s", line):
                raise self._lines.wrong("no node of a stack", line)
        elif found := _PROCESS.match(line):
            self.end()
            report.processes.append(SpunProcess(found["name"], int(found["pid"]) if found["pid"] else None))
        elif found := _STEPS.match(line):
            report.interval_ns = round(float(found["ms"]) * 1e6)
        elif found := _KEYS.match(line):
            if not report.processes:
                report.values.setdefault(found["key"], found["value"].strip())
            elif found["key"] == "Path":
                report.processes[-1].path = found["value"].strip()
            elif found["key"] == "Footprint":
                report.processes[-1].footprint_bytes = size_bytes(found["value"].split(" (")[0].split("->")[-1])

    def _begin(self, found: re.Match[str]) -> None:
        self.end()
        if not self._report.processes:
            raise self._lines.wrong("a thread without its process")
        samples, queue, name = (one.search(found["rest"]) for one in (_SAMPLES, _QUEUE, _NAME))
        if samples is None or len(samples["count"]) > 9:
            raise self._lines.wrong("a thread without its samples", found[0])
        self._thread = SampledThread(
            found["id"], name["name"] if name else None, queue["queue"] if queue else None, int(samples["count"])
        )
        self._report.processes[-1].threads.append(self._thread)
        self._margin = None

    def _node(self, found: re.Match[str], line: str) -> None:
        assert self._thread is not None
        column = len(found["blanks"]) + len(found["star"])
        self._margin = column if self._margin is None else self._margin
        depth, odd = divmod(column - self._margin, STEP)
        count = int(found["count"])
        if odd or depth < 0 or depth > len(self._path):
            raise self._lines.wrong("a node without a caller", line)
        self._close(depth)
        left = self._path[-1].left if self._path else self._thread.count - sum(one.count for one in self._thread.stacks)
        if count > left:
            raise self._lines.wrong("it and its siblings have more samples than their caller", line)
        if self._path:
            self._path[-1].left -= count
        self._path.append(_Open(self._frame(found["what"], bool(found["star"])), count, self._lines.number, count))

    def _frame(self, what: str, kernel: bool) -> Frame:
        found = _SYMBOL.fullmatch(what)
        if found is None:
            return Frame(what.strip(), kind="kernel" if kernel else "native")
        name = found["symbol"].strip()
        if name == "???":
            name = found["address"]
        return Frame(name, found["image"], kind="kernel" if kernel else "native")

    def _close(self, depth: int) -> None:
        while len(self._path) > depth:
            own = self._path[-1].left
            if own > 0 and self._thread is not None:
                frames = tuple(one.frame for one in reversed(self._path))
                self._thread.stacks.append(StackCount(frames, own))
            self._path.pop()

    def end(self, *, cut: bool = False) -> None:
        """Close the thread; `cut`: the file ends here, and what is left of the open nodes is not known."""
        if cut and self._thread is not None:
            self._thread.lost = sum(one.left for one in self._path)
            self._path = []
            lost = f"the stacks of its last thread go on; {self._thread.lost} samples of it have no whole stack"
            self._report.cut_short = CutShort(self._lines.number, lost)
        self._close(0)
        self._thread = None
