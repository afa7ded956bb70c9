"""The honesty check of a duel, for people: false alarms, and the smallest change that could be seen here and now."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

MOST_ROWS = 20


def print_self_check(document: dict[str, Any], stream: TextIO) -> None:
    """Print it; colour only where `stream` is a terminal."""
    console = Console(file=stream, width=None if stream.isatty() else 110, highlight=False)
    alarms = document["false_alarms"]
    console.print(
        f"[bold]one version against itself[/]: {document['pairs']} pairs, {document['mode']}, "
        f"{document['seconds']:.0f} s"
    )
    if alarms["any_metric"] is None:
        console.print("  too few pairs for a rate of false alarms: give more time with --budget")
    else:
        console.print(
            f"  false alarms on any metric: {alarms['any_metric']:.1%} of duels of {alarms['pairs_per_duel']} pairs "
            f"(a gate: {alarms['any_metric_of_a_gate']:.1%})"
        )
    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0))
    table.add_column("smallest change seen 4 times in 5, with")
    table.add_column("pairs differ by", justify="right")
    for size in ("5", "10", "20"):
        table.add_column(f"{size} pairs", justify="right")
    rows = sorted(document["metrics"], key=lambda row: not row["primary"])
    for row in rows[:MOST_ROWS]:
        name = row["name"].replace("_", " ") + (f" of {row['operation']}" if row["operation"] else "")
        seen = [f"{value - 1:.1%}" if value < 10 else "-" for value in row["minimum_detectable"].values()]
        table.add_row(escape(name), f"{row['spread_of_pairs']:.1%}", *seen)
    console.print()
    console.print(table)
