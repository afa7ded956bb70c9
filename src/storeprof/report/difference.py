"""What changed between two recordings, on one terminal screen; pictures of it are on the page (`--html`)."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from storeprof.analysis.findings_of_runs import key_of
from storeprof.report.terminal import WIDE
from storeprof.report.units import figure

Document = dict[str, Any]

SMALLEST_SHARE = 0.005
MOST_FINDINGS = 12
_FIGURES = (
    ("throughput", "1/s", "throughput_per_s"),
    ("P50", "s", "p50"),
    ("P95", "s", "p95"),
    ("P99", "s", "p99"),
    ("memory peak", "B", "rss_peak_bytes"),
    ("written", "B", "written_bytes"),
)


def print_difference(now: Document, before: Document, stream: TextIO) -> None:
    """Print figures, shares of busy wall and findings of both side by side."""
    console = Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False)
    console.print(f"now     [bold]{now['verdict']}[/]  {escape(now['summary'])}")
    console.print(f"before  [bold]{before['verdict']}[/]  {escape(before['summary'])}\n")
    table = _table("figure", "before", "now", "change")
    for name, unit, key in _FIGURES:
        earlier, later = (one["metrics"]["latency_s"].get(key, one["metrics"].get(key)) for one in (before, now))
        if earlier is not None or later is not None:
            table.add_row(name, figure(earlier, unit), figure(later, unit), _change(earlier, later))
    for kind in now["wall_time"]:
        earlier, later = before["wall_time"].get(kind, 0.0), now["wall_time"][kind]
        if max(earlier, later) >= SMALLEST_SHARE:
            table.add_row(f"busy wall: {kind}", figure(earlier, "share"), figure(later, "share"), "")
    console.print(table)
    console.print()
    console.print(_findings(now["findings"], before["findings"]))
    console.print("\nwhether that is more than chance: storeprof compare; as pictures: --html FILE")


def _findings(now: list[Document], before: list[Document]) -> Table:
    table = _table("finding", "before", "now", "")
    earlier, later = {key_of(row): row for row in reversed(before)}, {key_of(row) for row in now}
    rows = [(row, earlier.get(key_of(row))) for row in now]
    pairs = [*rows, *((None, row) for row in before if key_of(row) not in later)]
    for new, old in pairs[:MOST_FINDINGS]:
        known = new or old
        if known is None:
            continue
        place = known["where"]["function"] or known["where"]["resource"] or "no place known"
        fate = "" if new and old else "new" if new else "gone"
        table.add_row(escape(f"{known['kind']} {place}"), _size(old), _size(new), fate)
    return table


def _size(row: Document | None) -> str:
    if row is None:
        return "-"
    return str(row["severity"]) + ("" if row["share"] is None else f" {row['share']:.0%}")


def _change(before: float | None, now: float | None) -> str:
    return "-" if not before or now is None else f"{now / before - 1:+.1%}"


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0))
    for at, name in enumerate(names):
        table.add_column(name, justify="left" if at == 0 else "right", overflow="fold")
    return table
