r"""`footprint`: what a process costs the system, by category.

    report = "====" name "[" pid "]: 64-bit    Footprint: " size "(" n "bytes per page)" "====" heads rule { row } rule
             total
             "Auxiliary data:" { "    " name ": " size }
    row    = size { size } regions category

Which columns there are depends on the options (Swapped, Wired); the category is last and may hold blanks and brackets.
With --sample the report repeats: each one is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Lines, number, size_bytes

_TITLE: Final = re.compile(r"(?P<name>.+?) \[(?P<pid>\d{1,9})\]: .*Footprint: (?P<size>[\d.]+ [KMGT]?B)\b")
_SIZE: Final = r"[\d.,]+ [KMGT]?B"
_ROW: Final = re.compile(rf"\s*(?P<sizes>{_SIZE}(?:\s+{_SIZE})*)\s+(?P<regions>\d+)\s+(?P<category>\S.*)")
_AUXILIARY: Final = re.compile(rf"\s+(?P<name>\w+): (?P<size>{_SIZE})\s*")
_HEADS: Final = ("dirty", "swapped", "clean", "reclaimable", "wired")


@dataclass(frozen=True, slots=True)
class Category:
    """One row: bytes by column (`dirty`, `clean` …), and how many regions."""

    name: str
    bytes: dict[str, int]
    regions: int


@dataclass(slots=True)
class Footprint:
    """The footprint of one process at one time."""

    name: str
    pid: int
    bytes: int
    categories: list[Category] = field(default_factory=list)
    total: Category | None = None
    auxiliary: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class FootprintReport:
    """All of them, in order."""

    footprints: list[Footprint] = field(default_factory=list)
    cut_short: CutShort | None = None


def parse_footprint(source: Iterable[str]) -> FootprintReport:
    """Read a report of `footprint`; raises UnreadableLine for a row that is none."""
    lines = Lines(source)
    report = FootprintReport()
    heads: list[str] = []
    for line in lines:
        title = _TITLE.match(line)
        if title:
            report.footprints.append(Footprint(title["name"], int(title["pid"]), _size(lines, title["size"])))
        elif "Category" in line and "Dirty" in line:
            heads = [word.strip("()[]").lower() for word in line.split() if word.strip("()[]").lower() in _HEADS]
        elif not report.footprints or not line.strip() or set(line.strip()) <= {"-", "=", " "}:
            continue
        elif auxiliary := _AUXILIARY.fullmatch(line):
            report.footprints[-1].auxiliary[auxiliary["name"]] = _size(lines, auxiliary["size"])
        elif line.lstrip()[:1].isdigit() and heads:
            _row(lines, line, heads, report.footprints[-1])
    if not report.footprints:
        raise lines.wrong("no report of footprint")
    if report.footprints[-1].total is None or lines.unended is not None:
        report.cut_short = CutShort(lines.number, "what comes after that")
    return report


def _size(lines: Lines, text: str) -> int:
    found = size_bytes(text)
    if found is None:
        raise lines.wrong("no size", text)
    return found


def _row(lines: Lines, line: str, heads: list[str], one: Footprint) -> None:
    found = _ROW.fullmatch(line)
    cells = re.findall(_SIZE, found["sizes"]) if found else []
    if found is None or len(cells) != len(heads):
        raise lines.wrong("no row of footprint's table", line)
    sizes = {head: _size(lines, cell) for head, cell in zip(heads, cells, strict=True)}
    category = Category(found["category"].strip(), sizes, number(found["regions"], lines))
    if category.name == "TOTAL":
        one.total = category
    else:
        one.categories.append(category)
