r"""gprof's report: the flat profile and the call graph, of GNU, BSD and AIX.

Grammar, as far as it is needed (C++ names hold spaces, commas and brackets):

    flat     = "Flat profile:" … "time seconds seconds calls …/call …/call name" { row } blank
    row      = percent cumulative self [ calls self/call total/call ] name
    graph    = … "index" "% time" "self" "children" "called" "name" { entry dashes }
    entry    = { parent } primary { child }
    primary  = "[" index "]" percent self children [ called ["+" recursive] ] name [ "<cycle" n ">" ] "[" index "]"
    parent   = self children called ["/" total] name "[" index "]"  |  "<spontaneous>"  |  called name "[" index "]"

The figures of a call graph's arcs are gprof's guess (time of a function is divided among its callers by calls); those
of a primary line's `self` are samples. A cycle as a whole is an entry too, and no function.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Lines

_FLAT: Final = re.compile(
    r"\s*(?P<percent>\d+\.\d+)\s+(?P<cumulative>\d+\.\d+)\s+(?P<self>\d+\.\d+)"
    r"(?:\s+(?P<calls>\d+)\s+(?P<own>\d+\.\d+)\s+(?P<total>\d+\.\d+))?\s+(?P<name>\S.*)"
)
_FLAT_CALLS_ONLY: Final = re.compile(
    r"\s*(?P<percent>\d+\.\d+)\s+(?P<cumulative>\d+\.\d+)\s+(?P<self>\d+\.\d+)\s+(?P<calls>\d+)\s+(?P<name>\S.*)"
)
_FLAT_HEAD: Final = re.compile(r"\s*(?:time|%\s*time)\s+(?:cumsecs|seconds\s+seconds|seconds|cumulative).*\bname\b")
_GRAPH_HEAD: Final = re.compile(r"\s*index\s+%\s*time\s+self\s+(?:children|descendents)\s+called.*\bname\b")
_PRIMARY: Final = re.compile(
    r"\[(?P<index>\d+)\]\s+(?P<percent>\d+\.\d+)\s+(?P<self>\d+\.\d+)\s+(?P<children>\d+\.\d+)"
    r"(?:\s+(?P<called>\d+)(?:\+(?P<recursive>\d+))?)?\s+(?P<name>\S.*?)(?:\s+<cycle\s+(?P<cycle>\d+)>)?\s+\[(?P=index)\]"
)
_ARC: Final = re.compile(
    r"\s+(?:(?P<self>\d+\.\d+)\s+(?P<children>\d+\.\d+)\s+)?(?P<called>\d+)(?:\+\d+)?(?:/(?P<of>\d+))?\s+"
    r"(?P<name>\S.*?)(?:\s+<cycle\s+\d+>)?\s+\[(?P<index>\d+)\]"
)
_MARKS: Final = re.compile(r"\s*<cycle\s+\d+>$|\s+\[\d+\]$")
_SAMPLE: Final = re.compile(r"[Ee]ach sample (?:counts as|hit covers) .*?(?<![\d.])(\d+(?:\.\d+)?) seconds")


@dataclass(frozen=True, slots=True)
class GprofFunction:
    """One function: seconds of its own (from samples), of its own and its callees (None without a graph), calls."""

    name: str
    self_s: float
    total_s: float | None
    calls: int | None
    line: int


@dataclass(frozen=True, slots=True)
class GprofArc:
    """Calls from one function to another, and the seconds gprof gives to them."""

    caller: str
    callee: str
    calls: int
    self_s: float | None
    children_s: float | None


@dataclass(slots=True)
class GprofReport:
    """`functions` by name; `period_s` is what a sample counts as; `cut_short` None for a whole report."""

    functions: dict[str, GprofFunction] = field(default_factory=dict)
    arcs: list[GprofArc] = field(default_factory=list)
    cycles: int = 0
    period_s: float | None = None
    cut_short: CutShort | None = None

    @property
    def total_s(self) -> float:
        """Seconds sampled, of all functions."""
        return sum(one.self_s for one in self.functions.values())


@dataclass(slots=True)
class _Entry:
    parents: list[re.Match[str]] = field(default_factory=list)
    primary: re.Match[str] | None = None
    children: list[re.Match[str]] = field(default_factory=list)


def parse_gprof(source: Iterable[str]) -> GprofReport:
    """Read a report; raises UnreadableLine for a row that is none, and for an output without any table."""
    lines = Lines(source)
    report = GprofReport()
    tables = 0
    for line in lines:
        period = _SAMPLE.match(line.strip())
        if period and report.period_s is None and "counts as" in line:
            report.period_s = float(period[1])
        if _GRAPH_HEAD.match(line):
            tables += 1
            _read_graph(lines, report)
        elif _FLAT_HEAD.match(line):
            tables += 1
            _read_flat(lines, report)
    if tables == 0:
        raise lines.wrong("no gprof report: neither a flat profile nor a call graph")
    if lines.unended is not None:
        report.cut_short = CutShort(lines.number, "its last line has no end")
    return report


def is_gprof_head(line: str) -> bool:
    """Whether a line is the head of one of gprof's tables."""
    return bool(_GRAPH_HEAD.match(line) or _FLAT_HEAD.match(line))


def _read_flat(lines: Lines, report: GprofReport) -> None:
    for line in lines:
        if not line.strip() or line.startswith("\f"):
            return
        row = _FLAT.fullmatch(line) or _FLAT_CALLS_ONLY.fullmatch(line)
        if row is None:
            if line.lstrip().startswith("%"):  # the explanation follows at once
                return
            raise lines.wrong("no row of a flat profile", line)
        name = _MARKS.sub("", _MARKS.sub("", row["name"].rstrip()))
        known = report.functions.get(name)
        own = float(row["self"])
        if known is None:
            report.functions[name] = GprofFunction(
                name, own, None, int(row["calls"]) if row["calls"] else None, lines.number
            )
        elif known.total_s is None:  # static functions of one name in several files
            calls = (known.calls or 0) + int(row["calls"] or 0)
            report.functions[name] = GprofFunction(name, known.self_s + own, None, calls or None, known.line)


def _read_graph(lines: Lines, report: GprofReport) -> None:
    flat = bool(report.functions)
    entry = _Entry()
    for line in lines:
        text = line.rstrip()
        if text.startswith("\f") or (entry.primary is None and not entry.parents and text.startswith(" This table")):
            return
        if re.fullmatch(r"-{5,}", text):
            _close(entry, report, flat)
            entry = _Entry()
        elif not text.strip() or text.strip() == "<spontaneous>" or "called/total" in text or "called+self" in text:
            continue
        elif text.startswith("["):
            found = _PRIMARY.fullmatch(text)
            if found is None or entry.primary is not None:
                raise lines.wrong("no entry of a call graph", line)
            entry.primary = found
        elif text[0] in " \t":
            arc = _ARC.fullmatch(text)
            if arc is None:
                if entry.primary is None and not entry.parents:
                    return  # the explanation after the table
                raise lines.wrong("no arc of a call graph", line)
            (entry.children if entry.primary else entry.parents).append(arc)
        elif entry.primary is None and not entry.parents:
            return
        else:
            raise lines.wrong("no line of a call graph", line)
    if entry.primary or entry.parents:
        report.cut_short = CutShort(lines.number, "the entry that it ends in was left out")


def _close(entry: _Entry, report: GprofReport, flat: bool) -> None:
    found = entry.primary
    if found is None:
        return
    if found["name"].endswith("as a whole>") or " as a whole" in found["name"] or found["name"].startswith("<cycle"):
        report.cycles += 1
        return
    name, own = found["name"], float(found["self"])
    known = report.functions.get(name)
    total = own + float(found["children"])
    calls = int(found["called"]) if found["called"] else None
    if known is not None and flat:
        report.functions[name] = GprofFunction(name, known.self_s, total, known.calls or calls, known.line)
    else:
        before = known.self_s if known else 0.0
        report.functions[name] = GprofFunction(name, before + own, total, calls, 0)
    for arc in entry.children:
        seconds = (float(arc["self"]), float(arc["children"])) if arc["self"] else (None, None)
        report.arcs.append(GprofArc(name, arc["name"], int(arc["called"]), *seconds))
