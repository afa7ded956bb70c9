r"""`sample`: stacks of every thread at a fixed interval, running or waiting, merged into a call tree.

Grammar of the report (macOS 10.4 to 26; the oldest have neither images nor a head):

    report  = head "Call graph:" { thread { node } } blank "Total number in stack" … "Binary Images:" { image }
    thread  = 4 * " " count "Thread_" id [ ": " name ] [ "   DispatchQueue_" … ]
    node    = decoration count symbol [ "  (in " image ")" ] [ place ] [ "  [" address { "," address } "]" ] [ source ]
    place   = " + " offset { "," offset } | "  load address " hex " + " hex

The decoration is made of blanks and `+ ! : |` in turn; a node's depth is the column that its count begins in, two per
level, and nothing else. Runs of only children may have no decoration. A node's count includes its children's: what they
leave is its own. Where a file ends within the tree, what is left of the nodes that are still open is not known.

A sample says where a thread was, not whether it ran: `wait_symbols` tells that from the innermost symbols.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.macos.report_header import ReportHeader
from storeprof.collect.macos.tool import mac_tool
from storeprof.collect.tool_output import CutShort, Frame, Lines

MARGIN: Final = 4
STEP: Final = 2
INTERVAL_MS: Final = 1
_NODE: Final = re.compile(r"(?P<decoration>[ +!:|]*)(?P<count>\d+) (?P<what>\S.*)")
_THREAD: Final = re.compile(
    r"Thread_(?P<id><multiple>|[0-9a-zA-Z]+)(?:: ?(?P<name>.*?))?(?:\s+(?P<queue>DispatchQueue_.*))?\s*$"
)
_TITLE: Final = re.compile(
    r"Analysis of sampling (?:(?P<name>.+) \()?pid (?P<pid>\d+)\)? every (?P<interval>\d+(?:\.\d+)?) (?P<unit>\w+)"
)
_ADDRESSES: Final = re.compile(r"\s+\[(?P<first>0x[0-9a-fA-F]+|\?+)[^\]]*\](?:\s+(?P<source>\S.*))?$")
_PLACE: Final = re.compile(r"(?: \+ [\d,.x0-9a-fA-F ]+|\s+load address 0x[0-9a-fA-F]+ \+ 0x[0-9a-fA-F,.x ]+)$")
_SOURCE: Final = re.compile(r"(?P<file>.+?):(?P<line>\d{1,9})(?::\d+)?$")
_IMAGE: Final = re.compile(
    r"\s*(?P<start>0x[0-9a-fA-F]+)\s+-\s+(?:0x[0-9a-fA-F]+|\?+)\s+(?P<own>\+?)(?P<name>\S.*?)\s+\((?P<version>.*?)\)\s+"
    r"(?:<(?P<uuid>[^>]*)>\s+)?(?P<path>/.*|\?\?\?|\S.*)$"
)
_LISTED: Final = re.compile(
    r"(?:(?P<address>0x[0-9a-fA-F]+) \((?P<image>[^()]+)\) )?(?P<symbol>\S.*?)"
    r"(?: (?P<file>[^\s/]+\.\w+):(?P<line>\d{1,9})(?::\d+)?)?"
)
_UNITS_NS: Final = {"microsecond": 1_000, "millisecond": 1_000_000, "second": 1_000_000_000}
_ENDS: Final = ("Total number in stack", "Sort by top of stack", "Binary Images:")


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """Which process to look at for how long, and the file for the report. `interval_ms` between samples."""

    pid: int
    output: Path
    seconds: int = 10
    interval_ms: int = INTERVAL_MS


@dataclass(frozen=True, slots=True)
class StackCount:
    """How often a thread was seen with a stack (leaf first)."""

    frames: tuple[Frame, ...]
    count: int


@dataclass(slots=True)
class SampledThread:
    """A thread: its number (None for `<multiple>` or a name that is none), name, dispatch queue, and its stacks.

    `count`: samples of it; `lost`: those of them whose stacks are not known, because the file ended in its tree.
    """

    id: str
    name: str | None
    queue: str | None
    count: int
    stacks: list[StackCount] = field(default_factory=list)
    lost: int = 0


@dataclass(slots=True)
class SampleReport:
    """A report: `interval_ns` between samples (None where the head is missing), `images` from names to paths."""

    header: ReportHeader = field(default_factory=ReportHeader)
    interval_ns: int | None = None
    threads: list[SampledThread] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    pid: int | None = None
    cut_short: CutShort | None = None


class Sample:
    """The collector `sample`: wall-clock stacks of a process of one's own; another user's needs root."""

    name = "sample"

    def available(self, context: Context) -> Availability:
        """Whether this is a Mac; SIP keeps it from Apple's own programs."""
        return mac_tool("sample", needs_root=False)

    def command(self, options: SampleOptions) -> list[str]:
        """Build `sample PID SECONDS INTERVAL -mayDie -file FILE` (the interval is in milliseconds).

        With -mayDie symbols are read before sampling, so that a program that ends meanwhile still has names.
        """
        argv = ["sample", str(options.pid), str(options.seconds), str(options.interval_ms)]
        return [*argv, "-mayDie", "-fullPaths", "-file", str(options.output)]

    def parse(self, output: Iterable[str]) -> SampleReport:
        """Read the report; raises UnreadableLine naming the line it can't read."""
        return parse_sample(output)


def parse_sample(source: Iterable[str]) -> SampleReport:
    """Read a report of `sample`; raises UnreadableLine for a line that is none and counts that do not add up."""
    lines = Lines(source)
    report = SampleReport()
    found = False
    for line in lines:
        title = _TITLE.match(line)
        if title:
            report.name, report.pid = title["name"], int(title["pid"]) if len(title["pid"]) < 10 else None
            unit = _UNITS_NS.get(title["unit"].rstrip("s"))
            report.interval_ns = round(float(title["interval"]) * unit) if unit else None
        elif line.startswith("Call graph:"):
            found = True
            _Tree(lines, report).read()
        elif line.startswith("Binary Images:"):
            _read_images(lines, report)
        else:
            report.header.feed(line, lines)
    if not found:
        raise lines.wrong("no report of sample: it has no call graph")
    report.name = report.name or report.header.name
    report.pid = report.pid or report.header.pid
    return report


@dataclass(slots=True)
class _Open:
    frame: Frame | None
    count: int
    left: int
    line: int


class _Tree:
    """Reads the call graph: `path` holds the nodes that may still have children, the thread first."""

    def __init__(self, lines: Lines, report: SampleReport) -> None:
        self._lines = lines
        self._report = report
        self._path: list[_Open] = []
        self._frames: dict[str, Frame] = {}

    def read(self) -> None:
        ended = False
        while (line := self._lines.peek()) is not None:
            if line.startswith(_ENDS):
                ended = True
                break
            next(self._lines)
            if line.strip():
                self._node(line)
            elif self._report.threads:
                ended = True
                break
        if ended:
            self._close(0)
        else:  # without a line that ends the tree nobody knows whether it was whole
            self._cut()

    def _node(self, line: str) -> None:
        found = _NODE.fullmatch(line)
        column = len(found["decoration"]) if found else 0
        if found is None or column < MARGIN or (column - MARGIN) % STEP or len(found["count"]) > 15:
            raise self._lines.wrong("no node of a call graph", line)
        depth, count = (column - MARGIN) // STEP, int(found["count"])
        if depth > len(self._path):
            raise self._lines.wrong("a node without a caller: it is too far to the right", line)
        self._close(depth)
        if depth == 0:
            self._open_thread(found["what"], count)
            return
        above = self._path[-1]
        above.left -= count
        if above.left < 0:
            raise self._lines.wrong(
                f"it and its siblings have more than the {above.count} samples of line {above.line}", line
            )
        self._path.append(_Open(self._frame(found["what"]), count, count, self._lines.number))

    def _open_thread(self, what: str, count: int) -> None:
        found = _THREAD.fullmatch(what)
        if found is None:
            raise self._lines.wrong("no thread where one must begin", what)
        self._report.threads.append(SampledThread(found["id"], found["name"] or None, found["queue"], count))
        self._path = [_Open(None, count, count, self._lines.number)]

    def _close(self, depth: int) -> None:
        """Close all nodes from a depth on: what their children left is their own."""
        while len(self._path) > depth:
            own = self._path[-1].left
            if own > 0:
                frames = tuple(one.frame for one in reversed(self._path) if one.frame is not None)
                self._report.threads[-1].stacks.append(StackCount(frames, own))
            self._path.pop()

    def _cut(self) -> None:
        lost = sum(one.left for one in self._path)
        self._path = []
        if self._report.threads:
            self._report.threads[-1].lost = lost
        self._report.cut_short = CutShort(
            self._lines.number, f"the call graph goes on; {lost} samples of the last thread have no whole stack"
        )

    def _frame(self, what: str) -> Frame:
        known = self._frames.get(what)
        if known is None:
            known = self._frames[what] = symbol_frame(what)
        return known


def symbol_frame(what: str) -> Frame:
    """The frame that a node names: `symbol  (in image) + offset  [address]  file:line`, all but the symbol optional."""
    file = line = None
    found = _ADDRESSES.search(what)
    address = None
    if found:
        address, source = found["first"], _SOURCE.match(found["source"] or "")
        if source:
            file, line = source["file"], int(source["line"])
        what = what[: found.start()]
    what = _PLACE.sub("", what)
    at = what.rfind("  (in ")
    image = None
    if at >= 0 and what.rstrip().endswith(")"):
        image, what = what[at + len("  (in ") :].rstrip()[:-1], what[:at]
    name = what.strip()
    if name in ("???", ""):
        name = address if address and address.startswith("0x") else "???"
    return Frame(name, image, file, line)


def listed_frame(what: str) -> Frame:
    """The frame that leaks and malloc_history name in a list: `[address (image) ]symbol[ file:line]`."""
    found = _LISTED.fullmatch(what)
    if found is None:
        return Frame(what)
    line = int(found["line"]) if found["line"] else None
    return Frame(found["symbol"], found["image"], found["file"], line or None)


def _read_images(lines: Lines, report: SampleReport) -> None:
    while (line := lines.peek()) is not None:
        found = _IMAGE.match(line)
        if found is None:
            if line.strip():
                return
        elif found["path"].startswith("/"):
            path = found["path"].strip()
            report.images.setdefault(path.rsplit("/", 1)[-1], path)
            report.images.setdefault(found["name"], path)
        next(lines)
