"""The lines of the report on passes: which number comes from which run, and what could not be looked at."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from storeprof.report.units import duration

Row = dict[str, Any]
# Of a pass, so many lines on the terminal: totals first, then places.
MOST_LINES = 6
BROKEN_PERCENT = 20.0
# Two runs differ by less than that without any tool.
WORTH_A_WORD = 1.1


def print_passes(console: Console, document: Row) -> None:
    """Print what passes of their own found; nothing where there were none."""
    rows: list[Row] = document.get("passes") or []
    _stack_quality(console, rows)
    made = [row for row in rows if row["collects"]]
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
            console.print(
                f"  {broken[0]:.0f} % of {row['collector']}'s stacks break off: callers are missing; "
                "build with -fno-omit-frame-pointer and -g"
            )


def _print_pass(console: Console, row: Row) -> None:
    collects = ", ".join(row["collects"])
    if not row["ran"]:
        remedy = f"; {row['remedy']}" if row["remedy"] else ""
        console.print(f"  [dim]{collects}: not measured: {escape(row['reason'] + remedy)}[/]")
        return
    how = "timing run" if not row["own_run"] else f"{row['seconds']:.1f} s"
    slower = f", {row['slowdown']:.1f}x slower" if (row["slowdown"] or 0) >= WORTH_A_WORD else ""
    console.print(f"  [bold]{row['collector']}[/] ({how}{slower}): {collects}")
    for one in _chosen(row["figures"]):
        place = f"  {one['function']}" if one["function"] else ""
        where = f"  {one['file']}:{one['line']}" if one["file"] and one["line"] else ""
        console.print(f"    {one['figure']}: {quantity(one['value'], one['unit'])}{place}{where}", markup=False)
    for note in row["notes"]:
        console.print(f"    [dim]{escape(note)}[/]")


def _chosen(figures: list[Row]) -> list[Row]:
    """Totals before places, and of each figure's places as many as fit."""
    totals = [one for one in figures if not one["function"]]
    places = [one for one in figures if one["function"]]
    names = list(dict.fromkeys(one["figure"] for one in places))
    each = max(1, (MOST_LINES - min(len(totals), MOST_LINES // 2)) // max(1, len(names)))
    kept = [one for name in names for one in [row for row in places if row["figure"] == name][:each]]
    return (totals[: MOST_LINES // 2] + kept)[:MOST_LINES] if places else totals[:MOST_LINES]


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
