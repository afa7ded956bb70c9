r"""The report of `heaptrack_print`: where memory was allocated, consumed at the peak, leaked, and taken for a moment.

Grammar (sizes in units of 1000, rounded: `72.70K`; a section that has nothing in it is left out):

    report  = { section } totals
    section = TITLE { group }
    group   = amount "calls to allocation functions with" size "peak consumption from"      (MOST CALLS …)
            | size "peak memory consumed over" n "calls from"                               (PEAK MEMORY CONSUMERS)
            | size "leaked over" n "calls from"                                             (MEMORY LEAKS)
            | n "temporary allocations of" n "allocations in total" "(" percent ")" "from"   (MOST TEMPORARY …)
              frames { amounts "from:" frames-indented } [ "and" n "from" m "other places" ]
    frame   = name { "  at" file ":" line | "  in" binary }

A group's own frames are where the allocation function was called; each indented list is one way that led there (leaf
first), with its part of the amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Frame, Lines, Site, size_bytes

UNIT: Final = 1000
_SECTIONS: Final = {
    "MOST CALLS TO ALLOCATION FUNCTIONS": "allocated", "PEAK MEMORY CONSUMERS": "peak", "MEMORY LEAKS": "leak",
    "MOST TEMPORARY ALLOCATIONS": "temporary",
}  # fmt: skip
_S: Final = r"(?P<size>-?[\d.]+\s?[KMGTP]?B?)"
_AMOUNTS: Final = (
    re.compile(rf"(?P<count>\d+) calls (?:to allocation functions )?with {_S} peak consumption from:?"),
    re.compile(rf"{_S} (?:peak memory )?consumed over (?P<count>\d+) calls? from:?"),
    re.compile(rf"{_S} leaked over (?P<count>\d+) calls? from:?"),
    re.compile(r"(?P<count>\d+) temporary allocations of (?P<of>\d+) allocations in total \([\d.]+%\) from:?"),
)
_OTHERS: Final = re.compile(r"\s*and (?P<size>\S+)(?: leaked| consumed)?(?: over \d+ calls)? from \d+ other places?")
_TOTALS: Final = re.compile(r"(?P<name>[a-zA-Z][\w ()]*?): (?P<value>-?[\d.]+\s?[KMGTP]?B?|[\d.]+s\.?)(?: \(.*\))?$")
_AT: Final = re.compile(r"\s+at (?P<file>.+):(?P<line>\d+)$")
_IN: Final = re.compile(r"\s+in (?P<image>.+)$")


@dataclass(slots=True)
class HeaptrackReport:
    """`sites` of kinds `allocated`, `peak`, `leak` and `temporary`, and the totals at the end (None where not said).

    Bytes are rounded by heaptrack to three or four digits. `bytes` of an `allocated` site is its peak consumption.
    """

    sites: list[Site] = field(default_factory=list)
    runtime_s: float | None = None
    allocations: int | None = None
    temporary: int | None = None
    peak_bytes: int | None = None
    peak_rss_bytes: int | None = None
    leaked_bytes: int | None = None
    command: str | None = None
    cut_short: CutShort | None = None


@dataclass(slots=True)
class _Group:
    bytes: int | None
    count: int | None
    frames: list[Frame] = field(default_factory=list)


def parse_heaptrack_print(source: Iterable[str]) -> HeaptrackReport:
    """Read a report; raises UnreadableLine for a line that no part of it allows."""
    lines = Lines(source)
    report = HeaptrackReport()
    titles = 0
    kind = ""
    for line in lines:
        text = line.strip()
        if text in _SECTIONS:
            titles += 1
            kind = _SECTIONS[text]
        elif text.startswith("Debuggee command was: "):
            report.command = text.removeprefix("Debuggee command was: ")
        elif _amounts(line, lines) is not None:
            if not kind:
                raise lines.wrong("amounts outside of every section", line)
            _read_group(lines, line, kind, report)
        elif text:
            _total(text, report, kind != "", lines)
    if titles == 0 and report.allocations is None:
        raise lines.wrong("no report of heaptrack_print")
    if report.leaked_bytes is None or lines.unended is not None:
        report.cut_short = CutShort(lines.number, "what comes after that, up to the totals")
    return report


def _amounts(line: str, lines: Lines) -> _Group | None:
    for pattern in _AMOUNTS:
        found = pattern.fullmatch(line.strip())
        if found:
            values = found.groupdict()
            size = size_bytes(values["size"], UNIT) if values.get("size") else None
            if len(values["count"]) > 18 or ("size" in values and size is None):
                raise lines.wrong("no amount", line)
            return _Group(size, int(values["count"]))
    return None


def _read_group(lines: Lines, head: str, kind: str, report: HeaptrackReport) -> None:
    """One group with its ways: each way is a site; what the ways leave of the group stays with its own frames."""
    group = _amounts(head, lines)
    assert group is not None
    way: _Group | None = None
    ways: list[_Group] = []
    for line in lines:
        if not line.strip():
            break
        amounts = _amounts(line, lines)
        if amounts is not None:
            way = amounts
            ways.append(way)
        elif not _OTHERS.match(line):
            _frame(line, (way or group).frames, lines)
    else:
        report.cut_short = CutShort(lines.number, "the group that it ends in was left out")
        return
    if not group.frames:
        raise lines.wrong("amounts without a place")
    for one in ways:
        report.sites.append(Site(tuple(group.frames + one.frames), one.bytes, one.count, kind))
    left = (group.count or 0) - sum(one.count or 0 for one in ways)
    if left < 0:
        raise lines.wrong(f"the ways to {group.frames[0].function} have more calls than it has itself")
    if left > 0:
        sizes = [one.bytes or 0 for one in ways]
        rest = None if group.bytes is None else max(0, group.bytes - sum(sizes))
        report.sites.append(Site(tuple(group.frames), rest, left, kind))


def _frame(line: str, frames: list[Frame], lines: Lines) -> None:
    at, image = _AT.match(line), _IN.match(line)
    if (at or image) and not frames:
        raise lines.wrong("a place without its function", line)
    if at:
        last, where = frames[-1], int(at["line"])
        frames[-1] = Frame(last.function, last.image, at["file"], where if 0 < where < 1 << 31 else None)
    elif image:
        last = frames[-1]
        frames[-1] = Frame(last.function, image["image"].strip(), last.file, last.line)
    else:
        frames.append(Frame(line.strip()))


def _total(text: str, report: HeaptrackReport, begun: bool, lines: Lines) -> None:
    found = _TOTALS.match(text)
    if found is None:
        if begun and not text.startswith(("and ", "suppression", "WARNING", "Suppress")):
            raise lines.wrong("no line of heaptrack's report", text)
        return
    name, value = found["name"], found["value"]
    if name == "total runtime":
        seconds = value.rstrip("s.")
        if not re.fullmatch(r"\d{1,12}(?:\.\d+)?", seconds):
            raise lines.wrong("no seconds", text)
        report.runtime_s = float(seconds)
        return
    names = {
        "calls to allocation functions": "allocations", "temporary memory allocations": "temporary",
        "peak heap memory consumption": "peak_bytes", "peak RSS (including heaptrack overhead)": "peak_rss_bytes",
        "total memory leaked": "leaked_bytes",
    }  # fmt: skip
    if name in names:
        setattr(report, names[name], size_bytes(value, UNIT))
