"""A comparison for people: the verdict, a table of what was asked, where the change is, and what to mind."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from storeprof.report.units import figure

Document = dict[str, Any]
_COLOURS = {"improved": "green", "regressed": "red", "unchanged": "dim", "cannot-tell": "yellow"}
_ORDER = ("regressed", "improved", "cannot-tell", "unchanged")
_REASONS = {
    "run_queue": "waiting for a CPU", "gil": "waiting for the GIL", "cpu": "CPU", "lock": "lock", "io": "disk",
    "network": "network", "dependency": "others' work", "gc": "garbage collection",
    "page_fault": "page faults from disk", "sleep": "sleep", "other": "other",
}  # fmt: skip
WIDTH = 96
MOST_ROWS = 14


def print_comparison(document: Document, stream: TextIO) -> None:
    """Print it; colour only where `stream` is a terminal."""
    console = Console(file=stream, width=None if stream.isatty() else WIDTH, highlight=False, soft_wrap=False)
    console.print(
        f"[bold {_COLOURS[document['verdict']]}]{document['verdict'].upper()}[/]  {escape(summary(document))}"
    )
    console.print(f"  {escape(_design(document['design']))}")
    _table(console, document["metrics"])
    _explanation(console, document)
    for row in document["predictions"]:
        console.print(f"\n{escape(prediction(row))}")
    console.print()
    for warning in document["warnings"]:
        console.print(f"[dim]mind: {escape(warning)}[/]")


def summary(document: Document) -> str:
    """One sentence: what changed most surely, or what could not be seen."""
    rows = document["metrics"]
    changed = [row for row in rows if row["verdict"] == document["verdict"]]
    if document["verdict"] in ("improved", "regressed"):
        first = next((row for row in changed if row["primary"]), changed[0])
        others = len({_name(row) for row in changed}) - 1
        more = f", and {others} more metric{'s' if others > 1 else ''}" if others else ""
        opposite = "improved" if document["verdict"] == "regressed" else "regressed"
        also = sum(row["verdict"] == opposite for row in rows)
        other = f"; {also} {opposite}" if also else ""
        return f"{_name(first)} {_change(first)}{more}{other}"
    primary = [row for row in rows if row["primary"]]
    if document["verdict"] == "unchanged":
        furthest = max((row["within"] or 0.0 for row in primary), default=0.0)
        return f"no primary metric changed by more than {furthest:.1%}"
    unsure = [row for row in primary if row["verdict"] == "cannot-tell" and row["minimum_detectable"]]
    if not unsure:
        return "too little is known on both sides to tell"
    worst = max(unsure, key=lambda row: row["minimum_detectable"])
    return f"{_name(worst)}: a change under {worst['minimum_detectable'] - 1:.0%} could not have been seen in this data"


def prediction(row: Document) -> str:
    """What was promised and what came true, in a sentence."""
    low, high = row["predicted_ci"]
    place = row["where"]["function"] or row["where"]["resource"] or "no place known"
    real = row["realised_ci"]
    return (
        f"predicted: {row['kind']} at {place}, of which {row['removed_share']:.0%} is gone: "
        f"{row['predicted_speedup']:.2f}x ({low:.2f} to {high:.2f}); "
        f"came true: {row['realised_speedup']:.2f}x ({real[0]:.2f} to {real[1]:.2f})"
    )


def _design(design: Document) -> str:
    if design["unit"] == "recordings":
        return f"{design['baseline_runs']} and {design['candidate_runs']} recordings, " + (
            "made in turn" if design["interleaved"] else "made one after the other"
        )
    slices = f", {design['slices_per_pair']} slices each in random order" if design.get("slices_per_pair") else ""
    return f"{design['pairs']} pairs of processes{slices}; {design['seconds']:.0f} s, ended: {design['stopped']}"


def _table(console: Console, rows: list[Document]) -> None:
    table = Table(box=None, pad_edge=True, padding=(0, 1, 0, 0))
    for name in ("metric", "before", "after", "change (95 %)", "verdict"):
        table.add_column(name, justify="left" if name in ("metric", "verdict") else "right", no_wrap=name != "metric")
    shown = [
        row
        for row in rows
        if (row["primary"] and row["p_adjusted"] is not None) or row["verdict"] in ("regressed", "improved")
    ] or rows
    ranked = sorted(shown, key=lambda row: (not row["primary"], _ORDER.index(row["verdict"])))[:MOST_ROWS]
    for row in ranked:
        table.add_row(
            escape(_name(row)),
            _figure(row["baseline"], row["unit"]),
            _figure(row["candidate"], row["unit"]),
            "-" if row["ratio"] is None else _change(row),
            f"[{_COLOURS[row['verdict']]}]{_verdict(row)}[/]",
        )
    console.print()
    console.print(table)
    if len(rows) > len(ranked):
        console.print(f"  and {len(rows) - len(ranked)} more metrics, unchanged or not to tell: --json")


def _explanation(console: Console, document: Document) -> None:
    changed = document["change_per_operation_s"]
    if not document["explanation"] or changed is None or document["unexplained_share"] is None:
        return
    proven = "" if document["verdict"] in ("improved", "regressed") else " (nothing of it is proven)"
    console.print(f"\nbusy wall time per operation changed by {_signed(changed)}{proven}:")
    for row in document["explanation"]:
        where = row["where"]
        place = " ".join(part for part in (where["function"], where["resource"]) if part)
        reason = _REASONS.get(where["category"], where["category"])
        share = f"{row['share_of_change']:5.0%}"
        console.print(f"  {share}  {_signed(row['change_per_operation_s']):>10}  {reason}  {escape(place)}")
    console.print(f"  {document['unexplained_share']:5.0%}  everything else")


def _name(row: Document) -> str:
    name = row["name"].removeprefix("latency_").replace("_", " ")
    name = name.upper() if row["name"].startswith("latency_") else name
    return f"{name} {row['operation']}" if row["operation"] else name


def _change(row: Document) -> str:
    if row["ratio"] is None:
        return f"went from {_figure(row['baseline'], row['unit'])} to {_figure(row['candidate'], row['unit'])}"
    low, high = row["ci"]
    return f"{_ratio(row['ratio'])} ({_ratio(low)} to {_ratio(high)})"


def _ratio(ratio: float | None) -> str:
    """A change in percent, or as so many times where that reads better."""
    if ratio is None:
        return "-"
    return f"{ratio - 1:+.1%}" if ratio < 3 else f"{ratio:,.3g}x" if ratio < 1000 else f"{ratio:,.0f}x"


def _verdict(row: Document) -> str:
    """The verdict, with the smallest N that it holds for, or the smallest change that could have been seen."""
    if row["verdict"] == "unchanged" and row["within"] is not None:
        return f"unchanged ±{row['within']:.1%}"
    if row["verdict"] == "cannot-tell":
        least = row["minimum_detectable"]
        return "can't tell" if least is None else f"can't tell <{_ratio(least).lstrip('+')}"
    return str(row["verdict"])


def _figure(value: float | None, unit: str) -> str:
    if unit == "1/op":
        return "-" if value is None else f"{value:.3g}"
    return figure(value, "B" if unit == "B/op" and value and value >= 1e5 else unit)


def _signed(seconds: float) -> str:
    return ("+" if seconds >= 0 else "-") + figure(abs(seconds), "s")
