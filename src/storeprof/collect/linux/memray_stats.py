r"""`memray stats`: totals, sizes and the largest allocating locations, as text or as JSON (`--json`).

The text has a section a subject, each with an emoji mark before its title and its rows indented; locations are
`function:file:line -> amount`, amounts of bytes in units of 1000 (`29.887MB`), rounded to three digits. The JSON has
them in full. Older versions leave the peak or the modules out, and call the lists otherwise; titles decide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from storeprof.collect.tool_output import CutShort, Frame, Lines, Site, number, size_bytes

UNIT: Final = 1000
_TITLE: Final = re.compile(r"\W*\s*(?P<title>[A-Z][^:]*(?:\([^)]*\))?)\s*:\s*(?P<rest>\S.*)?$")
_LOCATION: Final = re.compile(r"(?P<function>.+?):(?P<file>.+):(?P<line>\d+)")
_ROW: Final = re.compile(r"\s*-\s*(?P<location>.+?)\s+->\s+(?P<amount>\S+)\s*$")
_BUCKET: Final = re.compile(r"\s*<\s*=?\s*(?P<limit>[\d.]+\s*[kKMGT]?i?B)\s*:\s*(?P<count>\d+)")
_ALLOCATOR: Final = re.compile(r"\s+(?P<name>[A-Z][A-Z0-9_]+):\s*(?P<count>\d+)\s*$")


@dataclass(slots=True)
class MemrayStats:
    """Totals of a run (None where not said), buckets of sizes, and locations by bytes and by count.

    `rounded`: bytes of the text have three decimals of their unit only. `sites` has one row a location; a location that
    is only in one list has None for the other figure.
    """

    allocations: int | None = None
    bytes: int | None = None
    peak_bytes: int | None = None
    rounded: bool = True
    sites: list[Site] = field(default_factory=list)
    buckets: list[tuple[int, int]] = field(default_factory=list)
    allocators: dict[str, int] = field(default_factory=dict)
    command: str | None = None
    python: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    pid: int | None = None
    cut_short: CutShort | None = None


def parse_memray_stats(source: Iterable[str]) -> MemrayStats:
    """Read `memray stats`; raises UnreadableLine for what it is not."""
    lines = Lines(source, keep_unended=True)
    first = lines.peek()
    while first is not None and not first.strip():
        next(lines)
        first = lines.peek()
    if first is not None and first.lstrip().startswith("{"):
        return _parse_json(lines)
    return _parse_text(lines)


def _parse_text(lines: Lines) -> MemrayStats:
    found = MemrayStats()
    sections: dict[str, int] = {}
    by_size: dict[str, int] = {}
    by_count: dict[str, int] = {}
    title = ""
    for line in lines:
        head = None if line[:1] in " \t" else _TITLE.match(line)
        if head:
            title = head["title"].strip().lower()
            sections[title] = lines.number
            if head["rest"]:
                _figure(title, head["rest"], found, lines)
        elif not line.strip() or set(line.strip()) <= {"-"} or line.strip().startswith(("min:", "max:")):
            continue
        elif not title:
            if line[:1] in " \t":
                raise lines.wrong("no statistics of memray", line)
        elif "allocating locations" in title and "size" in title:
            _location(line, by_size, lines, sized=True)
        elif "allocating locations" in title:
            _location(line, by_count, lines, sized=False)
        elif not _other_row(title, line, found, lines):
            raise lines.wrong(f"no row of {title!r}", line)
    if found.allocations is None and found.bytes is None:
        raise lines.wrong("no statistics of memray: neither allocations nor bytes in it")
    if not by_size:
        found.cut_short = CutShort(lines.number, "the largest allocating locations")
    found.sites = [
        Site(_frames(name), by_size.get(name), by_count.get(name), "allocated") for name in {**by_size, **by_count}
    ]
    return found


def _figure(title: str, text: str, found: MemrayStats, lines: Lines) -> None:
    if "total allocations" in title:
        found.allocations = number(text, lines)
    elif title in ("total memory allocated", "peak memory usage"):
        value = size_bytes(text, UNIT)
        if value is None:
            raise lines.wrong("no size", text)
        if title.startswith("total"):
            found.bytes = value
        else:
            found.peak_bytes = value


def _location(line: str, into: dict[str, int], lines: Lines, *, sized: bool) -> None:
    row = _ROW.match(line)
    if row is None:
        raise lines.wrong("no location with its amount", line)
    value = size_bytes(row["amount"], UNIT) if sized else number(row["amount"], lines)
    if value is None:
        raise lines.wrong("no size", row["amount"])
    into[row["location"]] = value


def _other_row(title: str, line: str, found: MemrayStats, lines: Lines) -> bool:
    if title in ("total allocations", "total memory allocated", "peak memory usage"):
        _figure(title, line.strip(), found, lines)
        return True
    if "histogram" in title:
        bucket = _BUCKET.match(line)
        if bucket is None:
            return False
        found.buckets.append((size_bytes(bucket["limit"], UNIT) or 0, int(bucket["count"])))
        return True
    if "allocator" in title:
        kind = _ALLOCATOR.match(line)
        if kind is None:
            return False
        found.allocators[kind["name"]] = int(kind["count"])
        return True
    return True  # a section of a later version


def _parse_json(lines: Lines) -> MemrayStats:
    text = "\n".join(lines)
    try:
        document: Any = json.loads(text)
        found = MemrayStats(
            allocations=int(document["total_num_allocations"]),
            bytes=int(document["total_bytes_allocated"]),
            rounded=False,
            buckets=[
                (int(row["max_bytes"]) + 1, int(row["count"])) for row in document.get("allocation_size_histogram", [])
            ],
            allocators={str(k): int(v) for k, v in document.get("allocator_type_distribution", {}).items()},
        )
        by_size = {str(r["location"]): int(r["size"]) for r in document.get("top_allocations_by_size", [])}
        by_count = {str(r["location"]): int(r["count"]) for r in document.get("top_allocations_by_count", [])}
        metadata = document.get("metadata") or {}
        found.peak_bytes = metadata.get("peak_memory")
        found.command, found.python = metadata.get("command_line"), metadata.get("python_version")
        found.started_at, found.ended_at = metadata.get("start_time"), metadata.get("end_time")
        found.pid = metadata.get("pid")
    except json.JSONDecodeError as error:
        lines.number = error.lineno
        raise lines.wrong(f"no JSON of memray stats ({error.msg})") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise lines.wrong(f"no JSON of memray stats ({type(error).__name__}: {error})") from None
    found.sites = [
        Site(_frames(name), by_size.get(name), by_count.get(name), "allocated") for name in {**by_size, **by_count}
    ]
    return found


def _frames(location: str) -> tuple[Frame, ...]:
    found = _LOCATION.fullmatch(location)
    if found is None:
        return (Frame(location, kind="python"),)
    line = int(found["line"])
    return (Frame(found["function"], file=found["file"], line=line if line < 1 << 31 else None, kind="python"),)
