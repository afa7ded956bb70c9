"""What passes left behind -> the table of their figures, and text for people under the names they know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from storeprof.collect.pass_tool import Figure, PassResult
from storeprof.collect.registry import pass_tool
from storeprof.errors import CollectorError
from storeprof.recording.model import Recording, rows_of
from storeprof.recording.tables import Columns, integers, strings
from storeprof.session.map_growth import growth_row, map_growth
from storeprof.session.native_names import is_native_library, short_name

# Rows kept of one figure of one pass: the rest is in the tool's own file.
MOST_ROWS: Final = 500
# The names of the profiling guide, by what they hold.
PREFIX: Final = {
    "heap": "heap_analysis", "leaks": "leaks", "offcpu": "dtrace", "io": "dtrace", "entries": "dtrace",
    "memory": "vmmap_growth", "counters": "counters", "faults": "page_faults", "cpu": "sample_profile",
}  # fmt: skip
Row = dict[str, Any]
Frame = tuple[str | None, str | None, int | None]
Stack = tuple[tuple[str, str | None, int | None], ...]
# An address without a symbol, and the allocator's entrances.
NO_PLACE: Final = re.compile(
    r"0x[0-9a-f]+$|\?\?\?$|(malloc|calloc|realloc|memalign|posix_memalign|aligned_alloc|valloc|strdup)$"
    r"|_?malloc_zone_\w+$|_malloc_type_\w+$|operator new|_Zn[wa]m"
)


def add_pass_tables(folder: Path, meta: Row, tables: dict[str, Columns]) -> dict[str, Columns]:
    """The tables with `pass_figures`; a pass whose output can't be read says so in `meta`, and costs nothing else."""
    rows: list[Row] = meta.get("passes") or []
    found: list[tuple[Row, PassResult]] = []
    children = len(tables["processes"]["pid"]) - 1
    for row in rows:
        result = _figures(folder, row) if row["ran"] else None
        if result is not None and children > 0 and not pass_tool(row["collector"]).follows_children:
            those = "child was" if children == 1 else "children were"
            row["notes"].append(f"it looks at one process: the program's {children} {those} left out")
        if result is not None:
            row["notes"] += result.notes
            found.append((row, result))
    grown = _growth(folder)
    if "memory" in (meta.get("collect") or ()):
        meta["passes"] = [*(row for row in rows if row["collector"] != "smaps"), growth_row(grown)]
        if grown:
            found.append((meta["passes"][-1], grown))
    return {**tables, "pass_figures": figures_table(found)} if found else tables


def _figures(folder: Path, row: Row) -> PassResult | None:
    try:
        result = pass_tool(row["collector"]).parse(folder / "raw" / row["pass"])
    except Exception as error:  # whatever a tool has printed must not cost the recording
        row.update(ran=False, reason=_why(folder, row, error), remedy=f"see raw/{row['pass']}.said in the recording")
        return None
    wanted = [one for one in result.figures if one.group in row["collects"]]
    if not wanted:
        row["notes"].append("it found nothing to report")
    return PassResult(_few(wanted), result.notes)


def _why(folder: Path, row: Row, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        said = _last_words(folder / "raw" / f"{row['pass']}.said")
        return f"{row['collector']} wrote nothing (status {row['status']}){': ' + said if said else ''}"
    what = str(error) if isinstance(error, CollectorError) else f"{type(error).__name__}: {error}"
    return f"{row['collector']}'s output can't be read: {what}"


def _last_words(said: Path) -> str:
    try:
        lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:200] if lines else ""


def _few(figures: list[Figure]) -> list[Figure]:
    seen: dict[tuple[str, bool], int] = {}
    kept = []
    for one in figures:
        key = (one.name, bool(one.stack))
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= MOST_ROWS:
            kept.append(one)
    return kept


def _growth(folder: Path) -> PassResult | None:
    try:
        return map_growth(folder)
    except CollectorError:
        return None


def owner(stack: Stack) -> Frame:
    """The frame that a figure belongs to: the innermost one of the program's own code, else the innermost.

    A frame's file may be the library it lies in, where a tool knows no source.
    Templates of the language's library are inlined or instantiated for the code that calls them.
    """
    own = (frame for frame in stack if not is_native_library(frame[0], frame[1] or "") and not NO_PLACE.match(frame[0]))
    return next(own, stack[0])


def figures_table(found: list[tuple[Row, PassResult]]) -> Columns:
    """The table `pass_figures`: results with the pass (or imported file) and the collector that they come from."""
    rows = [(row, figure) for row, result in found for figure in result.figures]
    leaves = [owner(figure.stack) if figure.stack else (None, None, None) for _, figure in rows]
    return {
        "pass": strings([row["pass"] for row, _ in rows]),
        "collector": strings([row["collector"] for row, _ in rows]),
        "collects": strings([figure.group for _, figure in rows]),
        "figure": strings([figure.name for _, figure in rows]),
        "value": np.array([figure.value for _, figure in rows], dtype=np.float64),
        "unit": strings([figure.unit for _, figure in rows]),
        "function": strings([_place(leaf[0], figure) for leaf, (_, figure) in zip(leaves, rows, strict=True)]),
        "file": strings([leaf[1] for leaf in leaves]),
        "line": integers([leaf[2] for leaf in leaves]),
        "stack": strings([";".join(frame[0] for frame in reversed(one.stack)) or None for _, one in rows]),
    }


def _place(name: str | None, figure: Figure) -> str | None:
    """A function without its arguments; mappings and classes may end in brackets of their own."""
    is_function = figure.group != "memory" and not figure.name.endswith("by class")
    return short_name(name) if name and is_function else name


def write_pass_evidence(recording: Recording, stamp: str) -> None:
    """A text for each pass and kind, whose first line says which tool filled it."""
    figures = rows_of(recording.sql("SELECT * FROM pass_figures"))
    for row in recording.meta.get("passes") or []:
        mine = [one for one in figures if (one["pass"], one["collector"]) == (row["pass"], row["collector"])]
        names: dict[str, list[str]] = {}
        for group in row["collects"]:
            chosen = [one for one in mine if one["collects"] == group]
            if chosen:
                names.setdefault(PREFIX[group], []).extend(["", f"{group}:", *map(_line, chosen)])
        for prefix, lines in names.items():
            how = f"{row['pass']}, a run of its own" if row["own_run"] else "of the timing run"
            head = [f"# storeprof: {row['collector']} ({how}): {', '.join(row['collects'])}"]
            head += [f"# {note}" for note in row["notes"]]
            path = recording.folder / f"{prefix}_{stamp}_{row['collector']}.txt"
            path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


def _line(row: Row) -> str:
    where = f"  ({row['file']}{'' if row['line'] is None else ':' + str(row['line'])})" if row["file"] else ""
    stack = f"  {row['stack']}" if row["stack"] else ""
    return f"{row['value']:18,.6g} {row['unit']:14s} {row['figure']:32s}{stack}{where}"
