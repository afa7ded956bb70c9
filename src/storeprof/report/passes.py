"""The lines of the report on passes: which number comes from which run, and what could not be looked at."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from storeprof.report.fitting import near
from storeprof.report.units import duration

Row = dict[str, Any]
# Of a pass, on the terminal: totals in one line, then places.
MOST_TOTALS, MOST_PLACES = 5, 3
MOST_FUNCTIONS = 4
ENTRY_FIGURES = ("calls", "P50 at most", "P95 at most", "P99 at most", "longest", "total time")
BROKEN_PERCENT = 20.0
# Two runs differ by less than that without any tool.
WORTH_A_WORD = 1.1


def print_passes(console: Console, document: Row) -> None:
    """Print what passes of their own found; nothing where there were none."""
    rows: list[Row] = document.get("passes") or []
    _stack_quality(console, rows)
    for warning in document.get("build_warnings") or []:
        _indented(console, f"the program is {warning['what']}; {warning['remedy']}", 2)
    # What was read beside the timing run without distorting it (smaps) is in the document; the screen is for passes.
    made = [row for row in rows if row["collects"] and row["own_run"]]
    if not made:
        return
    console.print()
    console.print("from passes of their own (all else above is from the timing run):")
    for row in made:
        _print_pass(console, row)


def _stack_quality(console: Console, rows: list[Row]) -> None:
    for row in rows:
        broken = [one["value"] for one in row["figures"] if one["figure"] == "stacks that break off"]
        if broken and broken[0] >= BROKEN_PERCENT:
            what = f"{broken[0]:.0f} % of {row['collector']}'s stacks break off: callers are missing"
            _indented(console, f"{what}; build with -fno-omit-frame-pointer and -g", 2)


def _print_pass(console: Console, row: Row) -> None:
    collects = ", ".join(row["collects"])
    if not row["ran"]:
        remedy = f"; {row['remedy']}" if row["remedy"] else ""
        _indented(console, f"{collects}: not measured: {row['reason']}{remedy}", 2, "dim")
        return
    how = "timing run" if not row["own_run"] else f"{row['seconds']:.1f} s"
    slower = f", {row['slowdown']:.1f}x slower" if (row["slowdown"] or 0) >= WORTH_A_WORD else ""
    console.print(f"  [bold]{row['collector']}[/] ({how}{slower}): {collects}")
    totals = [one for one in row["figures"] if not one["function"]][:MOST_TOTALS]
    if totals:
        _indented(console, "; ".join(f"{one['figure']}: {quantity(one['value'], one['unit'])}" for one in totals), 4)
    if "entries" in row["collects"]:
        for line in _latencies(row["figures"]):
            _indented(console, line, 4)
        row = {**row, "figures": []}
    for one in _places(row["figures"]):
        where = f"  {near(one['file'])}:{one['line']}" if one["file"] and one["line"] else ""
        _indented(console, f"{one['figure']}: {quantity(one['value'], one['unit'])}  {one['function']}{where}", 4)
    for note in row["notes"]:
        _indented(console, note, 4, "dim")


def _latencies(figures: list[Row]) -> list[str]:
    """Calls and latency of the functions that somebody asked for by name: a line each, the most called first."""
    functions: dict[str, list[Row]] = {}
    for one in figures:
        if one["function"]:
            functions.setdefault(one["function"], []).append(one)
    lines = []
    for name, rows in list(functions.items())[:MOST_FUNCTIONS]:
        words = [
            quantity(one["value"], one["unit"])
            if one["figure"] == "calls"
            else f"{one['figure'].replace(' at most', ' <')} {quantity(one['value'], one['unit'])}"
            for one in sorted(
                (one for one in rows if one["figure"] in ENTRY_FIGURES),
                key=lambda one: ENTRY_FIGURES.index(one["figure"]),
            )
        ]
        lines.append(f"{name}: {', '.join(words)}")
    if len(functions) > MOST_FUNCTIONS:
        lines.append("those called less often stand in tables/pass_figures.parquet")
    return lines


def _places(figures: list[Row]) -> list[Row]:
    """The largest place of each figure, or the first places where there is one figure."""
    places = [one for one in figures if one["function"]]
    names = list(dict.fromkeys(one["figure"] for one in places))
    each = max(1, MOST_PLACES // max(1, len(names)))
    return [one for name in names for one in [row for row in places if row["figure"] == name][:each]][:MOST_PLACES]


def _indented(console: Console, words: str, by: int, style: str = "") -> None:
    console.print(Padding(Text(words, style=style), (0, 0, 0, by)))


def quantity(value: float, unit: str) -> str:
    """A figure in its unit, to three digits."""
    if unit == "bytes":
        size, name = next(
            (
                (value / factor, name)
                for factor, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
                if abs(value) >= factor
            ),
            (value, "bytes"),
        )
        return f"{size:.3g} {name}" if name != "bytes" else f"{size:.0f} bytes"
    if unit == "s":
        return duration(value)
    if unit == "%":
        return f"{value:.2g} %"
    return f"{value:,.0f} {unit}" if value >= 100 or value == int(value) else f"{value:.3g} {unit}"
