r"""`heap`: what is allocated at one moment, by class.

    report = head "Process N: Z zones" "All zones: N nodes malloced - Sizes: …" … { table }
    table  = zone ": N nodes (B bytes)" blank "COUNT BYTES AVG CLASS_NAME TYPE BINARY" "===== …" { row } blank
    row    = count bytes average name [ "  " type [ "  " binary ] ]
           | address ":" name "(" bytes "bytes)"                   (-addresses: block by block, without a table)

`non-object` has neither type nor binary. A name longer than its column pushes the rest along, two blanks apart.
Text may stand before the head. With -z there is a table per zone beside that of all zones: only the latter is added up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.macos.report_header import ReportHeader
from storeprof.collect.macos.tool import mac_tool
from storeprof.collect.tool_output import CutShort, Lines, number, size_bytes

ALL_ZONES: Final = "All zones"
_TITLE: Final = re.compile(
    r"(?P<zone>All zones|Zone .+?|\S.*?): (?P<nodes>[\d,]+) nodes? \((?P<bytes>[\d.,]+ ?\w*)\)\s*$"
)
_MALLOCED: Final = re.compile(r"(?P<zone>All zones|Zone .+?): (?P<nodes>[\d,]+) nodes? malloced")
_COLUMNS: Final = re.compile(r"\s*COUNT\s+BYTES\s+AVG\s+CLASS_NAME\b")
_ROW: Final = re.compile(
    r"\s*(?P<count>[\d,]+)\s+(?P<bytes>[\d.,]+[KMGT]?)\s+(?P<mean>[\d.,]+[KMGT]?)\s+(?P<rest>\S.*)"
)
_BLOCK: Final = re.compile(r"0x[0-9a-f]+: (?P<name>\S.*) \((?P<bytes>\d{1,18}) bytes\)\s*")
_PROCESS: Final = re.compile(r"Process (?P<pid>\d{1,9}): \d+ zones?")


@dataclass(frozen=True, slots=True)
class HeapOptions:
    """Which process."""

    pid: int


@dataclass(frozen=True, slots=True)
class HeapClass:
    """Objects of one class in one zone; type (`ObjC`, `C++`, `Swift`, `C` …) and binary None where not said."""

    zone: str
    name: str
    type: str | None
    binary: str | None
    count: int
    bytes: int


@dataclass(slots=True)
class HeapReport:
    """A report; `nodes` and `bytes` are of all zones, None where not said."""

    header: ReportHeader = field(default_factory=ReportHeader)
    pid: int | None = None
    nodes: int | None = None
    bytes: int | None = None
    classes: list[HeapClass] = field(default_factory=list)
    cut_short: CutShort | None = None

    @property
    def of_all_zones(self) -> list[HeapClass]:
        """Rows to add up: those of all zones, where there is such a table; else those of each."""
        whole = [one for one in self.classes if one.zone == ALL_ZONES]
        return whole or self.classes


class Heap:
    """The collector `heap`: it stops the process while it looks."""

    name = "heap"

    def available(self, context: Context) -> Availability:
        """Whether this is a Mac; another user's process, or one of Apple's own, can't be read."""
        return mac_tool("heap", needs_root=False)

    def command(self, options: HeapOptions) -> list[str]:
        """Build `heap -s PID`: sorted by size."""
        return ["heap", "-s", str(options.pid)]

    def parse(self, output: Iterable[str]) -> HeapReport:
        """Read the report; raises UnreadableLine naming the line it can't read."""
        return parse_heap(output)


def parse_heap(source: Iterable[str]) -> HeapReport:
    """Read a report of `heap`; raises UnreadableLine for a row that is none and counts that do not add up."""
    lines = Lines(source)
    reader = _Reader(lines, HeapReport())
    for line in lines:
        reader.line(line)
    return reader.finished()


class _Reader:
    """What of a report was read: the zone in force and its blocks, the zones' own sizes, and single blocks."""

    def __init__(self, lines: Lines, report: HeapReport) -> None:
        self._lines, self._report = lines, report
        self._zone = ALL_ZONES
        self._nodes: int | None = None
        self._tables = 0
        self._of_zones: list[int] = []
        self._blocks: dict[str, list[int]] = {}

    def line(self, line: str) -> None:
        lines, report = self._lines, self._report
        if process := _PROCESS.match(line):
            report.pid = int(process["pid"])
        elif malloced := _MALLOCED.match(line):
            if malloced["zone"] == ALL_ZONES:
                report.nodes = number(malloced["nodes"], lines)
        elif title := _TITLE.match(line):
            self._title(title)
        elif block := _BLOCK.fullmatch(line):
            sums = self._blocks.setdefault(block["name"], [0, 0])
            sums[:] = sums[0] + 1, sums[1] + int(block["bytes"])
        elif _COLUMNS.match(line):
            self._tables += 1
            _read_table(lines, report, self._zone, self._nodes)
        else:
            report.header.feed(line, lines)

    def _title(self, title: re.Match[str]) -> None:
        report = self._report
        self._zone, self._nodes = title["zone"].removeprefix("Zone "), number(title["nodes"], self._lines)
        size = size_bytes(title["bytes"])
        if self._zone == ALL_ZONES:
            report.nodes, report.bytes = self._nodes, size
        elif size is not None:
            self._of_zones.append(size)

    def finished(self) -> HeapReport:
        lines, report = self._lines, self._report
        if self._tables:
            if report.bytes is None and self._of_zones:  # old reports have zones alone
                report.bytes = sum(self._of_zones)
        elif self._blocks:
            self._add_blocks()
        elif report.nodes is None:
            raise lines.wrong("no report of heap: it has no table of classes")
        else:
            report.cut_short = CutShort(lines.number, "the table of classes")
        report.pid = report.header.pid or report.pid
        return report

    def _add_blocks(self) -> None:
        lines, report = self._lines, self._report
        report.classes = [HeapClass(ALL_ZONES, name, None, None, *sums) for name, sums in self._blocks.items()]
        listed = sum(count for count, _ in self._blocks.values())
        if report.nodes is not None and listed > report.nodes:
            raise lines.wrong(f"{listed} blocks are listed, all zones have {report.nodes}")
        if lines.unended is not None:
            report.cut_short = CutShort(lines.number, "the blocks after that")


def _read_table(lines: Lines, report: HeapReport, zone: str, nodes: int | None) -> None:
    count = 0
    while (line := lines.peek()) is not None:
        if re.fullmatch(r"[= ]+", line) and line.strip():
            next(lines)
            continue
        if not line.strip() or _TITLE.match(line):
            break
        next(lines)
        found = _ROW.fullmatch(line)
        size = size_bytes(found["bytes"]) if found else None
        if found is None or size is None:
            raise lines.wrong("no row of heap's table", line)
        cells = re.split(r"\s{2,}", found["rest"].strip())
        row = HeapClass(
            zone,
            cells[0],
            cells[1] if len(cells) > 1 else None,
            "  ".join(cells[2:]) or None,
            number(found["count"], lines),
            size,
        )
        count += row.count
        if nodes is not None and count > nodes:
            raise lines.wrong(f"the rows have {count} nodes by now, the zone has {nodes}", line)
        report.classes.append(row)
    if lines.unended is not None:
        report.cut_short = CutShort(lines.number, "the rows after that")
    elif nodes is not None and count < nodes:
        report.cut_short = CutShort(lines.number, f"the rows have {count} of the {nodes} nodes")
