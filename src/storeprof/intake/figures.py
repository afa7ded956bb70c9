"""What files of other tools count, as figures of the one shape that passes have: `pass_figures`.

A heap that heaptrack recorded in a pass, one that Instruments exported and one that `leaks` printed answer the same
query then: by figure, unit, function, file, line and stack, with the file in place of the pass. The tables of their own
keep what only they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from storeprof.collect.pass_tool import Figure, PassResult, stack_of
from storeprof.collect.tool_output import Frame

Row = Mapping[str, Any]
# Kind of a site -> what it is called in the passes of heaptrack, memray and memcheck, and its group.
_SITES: Final = {
    "peak": ("live at the peak", "heap"), "live": ("live", "heap"), "allocated": ("allocated", "heap"),
    "temporary": ("temporary", "heap"), "freed": ("freed", "heap"), "leak": ("never freed", "leaks"),
    "indirect-leak": ("never freed", "leaks"), "possible-leak": ("possible-leak", "leaks"),
    "reachable": ("reachable", "leaks"),
}  # fmt: skip
_REGIONS: Final = (("resident", "resident_bytes"), ("dirty", "dirty_bytes"), ("swapped", "swapped_bytes"))
_TABLES: Final = ("allocation_sites", "heap_objects", "memory_regions", "call_totals")
Marks = dict[str, int]


def marks(rows: Mapping[str, Sequence[Row]]) -> Marks:
    """How many rows there are: what is added after that is the next file's."""
    return {table: len(rows.get(table, ())) for table in _TABLES}


def figures_since(
    before: Marks, rows: Mapping[str, Sequence[Row]], frames: Mapping[int, tuple[Frame, ...]]
) -> PassResult:
    """The figures of one file's rows, largest first of each name; `frames` by number of a stack, leaf first."""
    new = {table: rows.get(table, ())[before[table] :] for table in _TABLES}
    figures: list[Figure] = []
    for row in new["allocation_sites"]:
        figures += _site(row, frames)
    for row in new["heap_objects"]:
        if row.get("zone") in (None, "All zones") or not any(
            one.get("zone") == "All zones" for one in new["heap_objects"]
        ):
            figures.append(Figure("live, by class", float(row["bytes"]), "bytes", _named(row["name"]), "heap"))
    for row in new["memory_regions"]:
        if row.get("kind") == "summary" and not str(row["name"]).startswith("TOTAL"):
            figures += [
                Figure(name, float(row[key]), "bytes", _named(row["name"]), "memory")
                for name, key in _REGIONS
                if row.get(key) is not None
            ]
    for row in new["call_totals"]:
        figures += _calls(row)
    return PassResult(sorted(figures, key=lambda one: -one.value))


def _site(row: Row, frames: Mapping[int, tuple[Frame, ...]]) -> list[Figure]:
    name, group = _SITES.get(row["kind"], (row["kind"], "heap"))
    number = row.get("stack_id")
    stack = stack_of(frames[number]) if number is not None else ()
    found = [(row.get("bytes"), "bytes"), (row.get("count"), "allocations")]
    return [Figure(name, float(value), unit, stack, group) for value, unit in found if value is not None]


def _calls(row: Row) -> list[Figure]:
    """As the passes of strace and gprof have them."""
    found: list[tuple[str, float | None, str, str]] = []
    name, place = str(row["name"]), _named(row["name"])
    calls, errors = row.get("calls"), row.get("errors")
    seconds = {key: None if row.get(key) is None else row[key] / 1e9 for key in ("self_ns", "total_ns")}
    if row["kind"] == "system-call":
        found = [(f"calls of {name}", calls, "calls", "io"), (f"time in {name}", seconds["total_ns"], "s", "offcpu")]
        found += [(f"errors of {name}", errors or None, "calls", "io")]
        place = ()
    elif row["kind"] in ("function", "aggregation"):
        group = "cpu" if row["kind"] == "function" else "entries"
        found = [("calls", calls, "calls", group), ("own CPU time", seconds["self_ns"], "s", group)]
        if row["kind"] == "aggregation":
            found.append(("total time", seconds["total_ns"], "s", group))
    return [Figure(what, float(value), unit, place, group) for what, value, unit, group in found if value is not None]


def _named(name: str) -> tuple[tuple[str, str | None, int | None], ...]:
    return ((name, None, None),)
