"""What changed between two recordings, on one terminal screen; pictures of it are on the page (`--html`)."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from storeprof.analysis.runs.findings import key_of
from storeprof.report.bars import WORDS, bar, legend
from storeprof.report.fitting import clipped, end_of, harmless
from storeprof.report.terminal import on_a_screen, summary_of
from storeprof.report.units import figure

Document = dict[str, Any]

SMALLEST_SHARE = 0.005
MOST_FINDINGS, LINES_OF_A_SUMMARY, BAR = 10, 3, 40
NARROWEST_PLACE = 10
_FIGURES = (
    ("throughput", "1/s", "throughput_per_s"),
    ("P50", "s", "p50"),
    ("P95", "s", "p95"),
    ("P99", "s", "p99"),
    ("memory peak", "B", "rss_peak_bytes"),
    ("written", "B", "written_bytes"),
)


def print_difference(now: Document, before: Document, stream: TextIO) -> None:
    """Print figures, shares of busy wall and findings of both side by side; 80 columns in a pipe."""
    sides = harmless([now, before])
    on_a_screen(stream, lambda console: _print(console, *sides))


def _print(console: Console, now: Document, before: Document) -> None:
    for name, one in (("before", before), ("now", now)):
        words = clipped(f"{name:7} {one['verdict'].upper()}  {summary_of(one)}", console.width, LINES_OF_A_SUMMARY)
        console.print(escape(words))
    console.print()
    table = _table("figure", "before", "now", "change")
    for name, unit, key in _FIGURES:
        earlier, later = (one["metrics"]["latency_s"].get(key, one["metrics"].get(key)) for one in (before, now))
        if earlier is not None or later is not None:
            table.add_row(name, figure(earlier, unit), figure(later, unit), _change(earlier, later))
    for kind in now["wall_time"]:
        earlier, later = before["wall_time"].get(kind, 0.0), now["wall_time"][kind]
        if max(earlier, later) >= SMALLEST_SHARE:
            points = f"{100 * (later - earlier):+.1f} points"
            table.add_row(WORDS[kind], figure(earlier, "share"), figure(later, "share"), points)
    console.print(table)
    for name, one in (("before", before), ("now", now)):
        console.print(f"[dim]busy wall, {name:7}[/]{bar(one['wall_time'], BAR)}")
    console.print(f"[dim]{legend(now['wall_time'], [before['wall_time']])}[/]")
    _findings(console, now["findings"], before["findings"])
    console.print("\nwhether that is more than chance: storeprof compare; as pictures: --html FILE")


def _findings(console: Console, now: list[Document], before: list[Document]) -> None:
    earlier, later = {key_of(row): row for row in reversed(before)}, {key_of(row) for row in now}
    rows = [(row, earlier.get(key_of(row))) for row in now]
    pairs = [*rows, *((None, row) for row in before if key_of(row) not in later)]
    # What came and what went before what stayed; each of them by gain, as they are.
    pairs.sort(key=lambda pair: pair[0] is not None and pair[1] is not None)
    table = _table("finding", "before", "now", "")
    lines = [_finding(new, old) for new, old in pairs[:MOST_FINDINGS]]
    room = console.width - sum(max((len(line[column]) for line in lines), default=0) + 2 for column in (1, 2, 3))
    for words, *others in lines:
        kind, place = words.split(" ", 1)
        table.add_row(escape(f"{kind} {end_of(place, max(room - len(kind) - 4, NARROWEST_PLACE))}"), *others)
    if not pairs:
        console.print("\nneither recording has findings")
        return
    console.print()
    console.print(table)
    if len(pairs) > MOST_FINDINGS:
        console.print(f"and {len(pairs) - MOST_FINDINGS} more: storeprof analyze --json")


def _finding(now: Document | None, before: Document | None) -> tuple[str, str, str, str]:
    known = now or before
    assert known is not None
    place = known["where"]["function"] or known["where"]["resource"] or "no place known"
    fate = "" if now and before else "new" if now else "gone"
    return f"{known['kind']} {place}", _size(before), _size(now), fate


def _size(row: Document | None) -> str:
    if row is None:
        return "-"
    if row["share"] is not None:
        return f"{row['severity']} {row['share']:.0%}"
    rate = row["rate_bytes_per_s"]
    return str(row["severity"]) + ("" if rate is None else f" {rate / 1e6:.2f} MB/s")


def _change(before: float | None, now: float | None) -> str:
    return "-" if not before or now is None else f"{now / before - 1:+.1%}"


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0))
    for at, name in enumerate(names):
        table.add_column(name, justify="left" if at == 0 else "right", overflow="fold", no_wrap=True)
    return table
