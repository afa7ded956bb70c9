r"""Massif's file: the heap over time, and at some moments the tree of who allocated it.

Grammar:

    file     = "desc:" … "cmd:" … "time_unit:" ("i" | "ms" | "B", heaptrack: "s") { snapshot }
    snapshot = "#---" "snapshot=" n "#---" "time=" n "mem_heap_B=" n "mem_heap_extra_B=" n "mem_stacks_B=" n
               "heap_tree=" ("empty" | "detailed" newline tree | "peak" newline tree)
    tree     = depth * " " "n" children ":" bytes what

`what` is `(heap allocation functions) …` at the root, `0xADDRESS: function (file:line)` or `0xADDRESS: function (in
binary)` below, and `in K places, all below massif's threshold` for the rest. A node's bytes include its children's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Frame, Lines, Site, number

_NODE: Final = re.compile(r"(?P<indent> *)n(?P<children>\d+): (?P<bytes>\d+) (?P<what>\S.*)")
_PLACE: Final = re.compile(
    r"0x[0-9A-Fa-f]+: (?P<function>.+?)(?: \((?:in (?P<image>.+)|(?P<file>[^()]+):(?P<line>\d+))\))?$"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The heap at one time (in `time_unit`): useful bytes, what the allocator adds, stacks (0 unless asked for)."""

    time: float
    heap_bytes: int
    extra_bytes: int
    stacks_bytes: int


@dataclass(slots=True)
class MassifReport:
    """`peak` is the tree of the highest snapshot that has one, as sites of kind `peak` (leaf first)."""

    command: str | None = None
    time_unit: str = "i"
    snapshots: list[Snapshot] = field(default_factory=list)
    peak: list[Site] = field(default_factory=list)
    peak_bytes: int = 0
    cut_short: CutShort | None = None


@dataclass(slots=True)
class _Open:
    left: int
    bytes: int
    frame: Frame | None


def parse_massif(source: Iterable[str]) -> MassifReport:
    """Read a file; raises UnreadableLine for a line that is none and a tree that does not add up."""
    lines = Lines(source)
    report = MassifReport()
    figures: dict[str, float] = {}
    for line in lines:
        key, mark, value = line.partition("=")
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("cmd: "):
            report.command = line.removeprefix("cmd: ").strip()
        elif line.startswith("time_unit: "):
            report.time_unit = line.removeprefix("time_unit: ").strip()
        elif mark and key in ("snapshot", "time", "mem_heap_B", "mem_heap_extra_B", "mem_stacks_B"):
            timed = key == "time" and re.fullmatch(r"\d{1,15}\.\d+", value)  # heaptrack_print -M writes seconds
            figures[key] = float(value) if timed else number(value, lines)
        elif mark and key == "heap_tree":
            _add_snapshot(lines, report, figures, value)
            figures = {}
        elif not line.startswith("desc:"):
            raise lines.wrong("no line of massif's file", line)
    if not report.snapshots:
        raise lines.wrong("no file of massif: it has no snapshot")
    if figures or lines.unended is not None:
        report.cut_short = CutShort(lines.number, "the snapshot that it ends in was left out")
    return report


def _add_snapshot(lines: Lines, report: MassifReport, figures: dict[str, float], tree: str) -> None:
    names = ("time", "mem_heap_B", "mem_heap_extra_B", "mem_stacks_B")
    missing = [name for name in names if name not in figures]
    if missing:
        raise lines.wrong(f"a snapshot without {missing[0]}")
    snapshot = Snapshot(figures["time"], *(int(figures[name]) for name in names[1:]))
    if tree in ("detailed", "peak"):
        sites = _read_tree(lines, snapshot.heap_bytes)
        if sites is None:
            report.cut_short = CutShort(lines.number, "the tree that it ends in was left out")
        elif snapshot.heap_bytes >= report.peak_bytes:
            report.peak, report.peak_bytes = sites, snapshot.heap_bytes
    elif tree != "empty":
        raise lines.wrong("no kind of a tree", tree)
    report.snapshots.append(snapshot)


def _read_tree(lines: Lines, heap_bytes: int) -> list[Site] | None:
    """Sites of a tree; None when the file ends in it."""
    sites: list[Site] = []
    path: list[_Open] = []
    while True:
        line = next(lines, None)
        if line is None:
            return None
        node = _NODE.fullmatch(line)
        if node is None or len(node["indent"]) != len(path):
            raise lines.wrong("no node of massif's tree here", line)
        size = number(node["bytes"], lines)
        children = number(node["children"], lines)
        if not path and size != heap_bytes:
            raise lines.wrong(f"the tree has {size} bytes, its snapshot {heap_bytes}")
        if path:
            path[-1].left -= 1
            path[-1].bytes -= size
            if path[-1].bytes < 0:
                raise lines.wrong("more bytes than its caller has", line)
        path.append(_Open(children, size, _frame(node["what"])))
        while path and path[-1].left <= 0:
            own = path[-1].bytes
            frames = tuple(one.frame for one in path if one.frame is not None)
            if own > 0:
                sites.append(Site(frames, own, None, "peak"))
            path.pop()
        if not path:
            return sites


def _frame(what: str) -> Frame | None:
    found = _PLACE.fullmatch(what)
    if found is None:
        return None
    line = int(found["line"]) if found["line"] and len(found["line"]) < 9 else None
    return Frame(found["function"], found["image"], found["file"], line)
