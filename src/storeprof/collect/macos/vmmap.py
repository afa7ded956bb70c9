r"""`vmmap`: the regions of a process's address space, a summary by kind, and the malloc zones.

    region  = type start "-" end "[" size { size } "]" protection "/" protection "SM=" mode [ "PURGE=" mode ] [ detail ]
    summary = heads over columns, "=== …" { name size { size } [ remark ] }
            | heads, "=== [ ===]" { name "[" size "]" }                      (report 2.2 and older, without a total)

Versions differ in their columns (report 2.3 has virtual sizes only, 2.4 four of them), so columns are found by the
`===` under their heads. Addresses are padded on x86_64 and are not on ARM64; a type's name may hold blanks and brackets
and touch the address when it is long. Sizes have a unit or are bytes; with -pages they are pages: a region's own length
tells. Rounded sizes of a region are replaced by the exact one that its addresses give.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.macos.report_header import ReportHeader
from storeprof.collect.macos.tool import mac_tool
from storeprof.collect.tool_output import CutShort, Lines, size_bytes

PAGES: Final = (4096, 16384)
_REGION: Final = re.compile(
    r"(?P<name>\S.*?)\s*(?<![0-9a-f])(?P<start>[0-9a-f]{4,16})-(?P<end>[0-9a-f]{4,16})\s*\[\s*(?P<sizes>[\d.KMGT/\s]*?)\s*\]"
    r"\s+(?P<protection>[-rwx]{3}/[-rwx]{3})(?:\s+SM=(?P<mode>\w+))?(?:\s+PURGE=\w+)?\s*(?P<detail>.*)"
)
_LOOKS_LIKE_REGION: Final = re.compile(r".*[0-9a-f]{6,16}-[0-9a-f]{6,16}\s*\[")
_SIZE: Final = r"\d[\d.]*[KMGT]?%?"
_ROW: Final = re.compile(rf"(?P<name>\S.*?)\s{{2,}}(?P<cells>{_SIZE}(?:\s+{_SIZE})*)(?:\s+(?P<remark>[A-Za-z(].*))?\s*")
_OLD_ROW: Final = re.compile(r"(?P<name>\S.*?)\s*\[\s*(?P<size>\d[\d.]*[KMGT]?)\]\s*")
_PROCESS: Final = re.compile(
    r"(?:Virtual Memory Map of process|==== .*?for process) (?P<pid>\d{1,9})(?: \((?P<name>.*)\))?"
)
_VERSION: Final = re.compile(r"Output report format:\s+(?P<version>[\d.]+)")
_TOTALS: Final = re.compile(
    r"(?P<what>ReadOnly portion of Libraries|Writable regions): Total=(?P<total>\S+) (?P<rest>.*)"
)
_PART: Final = re.compile(r"(\w+)=(\S+?)(?:\((\d+)%\))?(?=\s|$)")
_COLUMN: Final = {
    "virtual": "virtual_bytes", "resident": "resident_bytes", "dirty": "dirty_bytes", "swapped": "swapped_bytes",
    "region count": "regions", "allocation count": "allocations", "bytes allocated": "allocated_bytes",
    "frag size": "fragmentation_bytes", "dirty+swap frag size": "fragmentation_bytes",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class VmmapOptions:
    """Which process; `summary_only` leaves the single regions out."""

    pid: int
    summary_only: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """One region; sizes in bytes, those the version does not print None."""

    name: str
    start: int
    end: int
    resident_bytes: int | None
    dirty_bytes: int | None
    swapped_bytes: int | None
    protection: str
    share_mode: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """A row of the summary by kind, or of the malloc zones; `figures` by the names of the table `memory_regions`."""

    kind: str
    name: str
    figures: dict[str, int]
    remark: str | None = None


@dataclass(slots=True)
class VmmapReport:
    """A report: single regions, rows of the tables (their totals are rows named TOTAL), totals of the head lines."""

    header: ReportHeader = field(default_factory=ReportHeader)
    pid: int | None = None
    name: str | None = None
    version: str | None = None
    regions: list[Region] = field(default_factory=list)
    rows: list[SummaryRow] = field(default_factory=list)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    cut_short: CutShort | None = None

    def total(self, kind: str = "summary") -> SummaryRow | None:
        """The row TOTAL of a table."""
        return next((row for row in self.rows if row.kind == kind and row.name == "TOTAL"), None)


class Vmmap:
    """The collector `vmmap`: it stops the process while it looks."""

    name = "vmmap"

    def available(self, context: Context) -> Availability:
        """Whether this is a Mac; another user's process, or one of Apple's own, can't be read."""
        return mac_tool("vmmap", needs_root=False)

    def command(self, options: VmmapOptions) -> list[str]:
        """Build `vmmap -w PID` (paths in full)."""
        return ["vmmap", *(["-summary"] if options.summary_only else ["-w"]), str(options.pid)]

    def parse(self, output: Iterable[str]) -> VmmapReport:
        """Read the report; raises UnreadableLine naming the line it can't read."""
        return parse_vmmap(output)


def parse_vmmap(source: Iterable[str]) -> VmmapReport:
    """Read a report of `vmmap`; raises UnreadableLine for a region or row that is none."""
    lines = Lines(source)
    report = VmmapReport()
    above: list[str] = []
    whole = False
    for line in lines:
        found = _PROCESS.match(line)
        if found:
            report.pid, report.name = int(found["pid"]), found["name"] or report.name
        elif version := _VERSION.match(line):
            report.version = version["version"]
        elif totals := _TOTALS.match(line):
            _read_totals(lines, totals, report)
        elif _LOOKS_LIKE_REGION.match(line):
            report.regions.append(_region(lines, line))
        elif re.fullmatch(r"=[= ]+=\s*", line):
            _read_table(lines, report, above, line)
        elif re.fullmatch(r"=+\s+\[ *=+\]\s*", line):
            whole = _read_old_table(lines, report)
        else:
            report.header.feed(line, lines)
        above = [*above[-2:], line]
    if not report.regions and not report.rows:
        raise lines.wrong("no report of vmmap: neither regions nor a summary in it")
    report.pid, report.name = report.header.pid or report.pid, report.header.name or report.name
    if (report.total() is None and not whole) or lines.unended is not None:
        report.cut_short = CutShort(lines.number, "what comes after that, up to the summary's total")
    return report


def _region(lines: Lines, line: str) -> Region:
    found = _REGION.fullmatch(line.strip())
    if found is None:
        raise lines.wrong("no region", line)
    start, end = int(found["start"], 16), int(found["end"], 16)
    if end < start:
        raise lines.wrong("a region that ends before it begins", line)
    cells = re.split(r"[\s/]+", found["sizes"]) if found["sizes"] else []
    sizes = [size_bytes(cell) for cell in cells]
    if not 1 <= len(sizes) <= 4 or None in sizes:
        raise lines.wrong("no sizes between the brackets", line)
    scale = 1
    if cells[0].isdigit() and sizes[0] != end - start:  # -pages
        scale = next((page for page in PAGES if (sizes[0] or 0) * page == end - start), 1)
    exact = [None if size is None else size * scale for size in sizes]
    resident, dirty, swapped = [*exact[1:], None, None, None][:3]
    return Region(
        found["name"].strip(), start, end, resident, dirty, swapped, found["protection"], found["mode"],
        found["detail"].strip() or None,
    )  # fmt: skip


def _read_totals(lines: Lines, found: re.Match[str], report: VmmapReport) -> None:
    parts = {"total": size_bytes(found["total"])}
    for name, size, _ in _PART.findall(found["rest"]):
        parts[name] = size_bytes(size)
    if None in parts.values():
        raise lines.wrong("no totals", found[0])
    report.totals[found["what"]] = {name: size for name, size in parts.items() if size is not None}


def _read_table(lines: Lines, report: VmmapReport, above: list[str], rule: str) -> None:
    columns = _columns(above, rule)
    zones = any("MALLOC ZONE" in line for line in above[-2:])
    kind = "zone" if zones else "summary"
    if not columns:
        return
    while (line := lines.peek()) is not None and line.strip():
        next(lines)
        if re.fullmatch(r"[= ]+", line):
            continue
        found = _ROW.fullmatch(line.strip())
        cells = found["cells"].split() if found else []
        if found is None or len(cells) != len(columns):
            raise lines.wrong(f"no row of vmmap's table, which has {len(columns)} columns of figures", line)
        figures: dict[str, int] = {}
        for name, cell in zip(columns, cells, strict=True):
            target = _COLUMN.get(name)
            size = None if cell.endswith("%") else size_bytes(cell)
            if target and size is None:
                raise lines.wrong(f"no {name}", line)
            if target and size is not None:
                figures[target] = size
        report.rows.append(SummaryRow(kind, found["name"], figures, found["remark"]))


def _read_old_table(lines: Lines, report: VmmapReport) -> bool:
    """Rows of a summary with virtual sizes in brackets; whether a blank line or another ends it."""
    while (line := lines.peek()) is not None:
        found = _OLD_ROW.fullmatch(line)
        size = size_bytes(found["size"]) if found else None
        if found is None or size is None:
            if line.strip() and "[" in line:
                raise lines.wrong("no row of vmmap's table", line)
            return True
        next(lines)
        report.rows.append(SummaryRow("summary", found["name"], {"virtual_bytes": size}))
    return False


def _columns(above: list[str], rule: str) -> list[str]:
    """Names of the columns but the first, from the head lines over each run of `=`."""
    two = len(above) > 1 and ("SIZE" in above[-1] or "VIRTUAL" in above[-2])
    heads = above[-2:] if two else above[-1:]
    spans = [found.span() for found in re.finditer(r"=+", rule)]
    names = []
    for (_, left), (_, end) in pairwise(spans):
        words = [head[left:end].strip() for head in heads]
        name = " ".join(word for word in words if word).lower()
        sized = name.split(" ")[0] in ("virtual", "resident", "dirty", "swapped")
        names.append(name.removesuffix(" size") if sized else name)
    return [name for name in names if name]
