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
    report = HeapReport()
    zone, nodes = ALL_ZONES, None
    tables = 0
    of_zones: list[int | None] = []
    blocks: dict[str, list[int]] = {}
    for line in lines:
        process, title, malloced = _PROCESS.match(line), _TITLE.match(line), _MALLOCED.match(line)
        if process:
            report.pid = int(process["pid"])
        elif malloced:
            if malloced["zone"] == ALL_ZONES:
                report.nodes = number(malloced["nodes"], lines)
        elif title:
            zone, nodes = title["zone"].removeprefix("Zone "), number(title["nodes"], lines)
            if zone == ALL_ZONES:
                report.nodes, report.bytes = nodes, size_bytes(title["bytes"])
            else:
                of_zones.append(size_bytes(title["bytes"]))
        elif block := _BLOCK.fullmatch(line):
            sums = blocks.setdefault(block["name"], [0, 0])
            sums[:] = sums[0] + 1, sums[1] + int(block["bytes"])
        elif _COLUMNS.match(line):
            tables += 1
            _read_table(lines, report, zone, nodes)
        else:
            report.header.feed(line, lines)
    if tables == 0 and blocks:
        report.classes = [HeapClass(ALL_ZONES, name, None, None, *sums) for name, sums in blocks.items()]
        listed = sum(count for count, _ in blocks.values())
        if report.nodes is not None and listed > report.nodes:
            raise lines.wrong(f"{listed} blocks are listed, all zones have {report.nodes}")
        if lines.unended is not None:
            report.cut_short = CutShort(lines.number, "the blocks after that")
    elif tables == 0:
        if report.nodes is None:
            raise lines.wrong("no report of heap: it has no table of classes")
        report.cut_short = CutShort(lines.number, "the table of classes")
    elif report.bytes is None and None not in of_zones and of_zones:  # old reports have zones alone
        report.bytes = sum(size for size in of_zones if size is not None)
    report.pid = report.header.pid or report.pid
    return report


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
