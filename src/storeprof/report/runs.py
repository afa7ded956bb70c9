"""The report of several runs: one table per workload, and what holds across runs apart from what does not."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from storeprof.report.units import figure

_WHOLE_RUN = {"throughput": "operations/s", "cpu_per_operation": "CPU per operation", "memory_peak": "memory peak"}
_FIGURES = {"per second": "throughput", "P50": "latency_p50", "P95": "latency_p95", "P99": "latency_p99"}
TABLE_WIDTH = 105  # that figures with intervals take
MOST_SHOWN, MOST_OF_SOME = 3, 1
MOST_OPERATIONS = 5
SMALLEST_SHARE = 0.005
Document = dict[str, Any]


def print_runs(console: Console, document: Document, words: dict[str, str]) -> None:
    """Print the tables and findings of several runs; `words` names the kinds of wall time."""
    for workload in document["workloads"]:
        _workload(console, workload, words)
    _findings(console, document["findings"], document["summary"])


def _workload(console: Console, workload: Document, words: dict[str, str]) -> None:
    rows = {(row["operation"], row["name"]): row for row in workload["table"]}
    named = f"workload {workload['workload']}, " if workload["workload"] else ""
    console.print(f"\n[bold]{named}{workload['runs']} runs[/]  (mean, 95 % between runs)")
    _indented(console, "   ".join(f"{label} {_figure(rows[None, name])}" for name, label in _WHOLE_RUN.items()))
    shares = sorted(workload["wall_time"], key=lambda row: -row["mean"])
    parts = [f"{words.get(row['name'], row['name'])} {_figure(row)}" for row in shares if row["mean"] >= SMALLEST_SHARE]
    _indented(console, f"busy wall time: {'   '.join(parts) or 'none'}")
    operations = list(dict.fromkeys(row["operation"] for row in workload["table"] if row["operation"]))
    if operations and console.width >= TABLE_WIDTH:
        console.print(_operations(operations[:MOST_OPERATIONS], rows))
    for name in operations[:MOST_OPERATIONS] if console.width < TABLE_WIDTH else ():
        _indented(console, f"[bold]{escape(name)}[/]  {_in_words(name, rows)}")


def _in_words(name: str, rows: dict[tuple[str | None, str], Document]) -> str:
    """The figures of an operation where a table of them would not fit."""
    return "   ".join(f"{label} {_figure(rows[name, metric])}" for label, metric in _FIGURES.items())


def _indented(console: Console, words: str) -> None:
    console.print(Padding(words, (0, 0, 0, 2)))


def _operations(names: list[str], rows: dict[tuple[str | None, str], Document]) -> Table:
    table = Table(box=None, pad_edge=True, padding=(0, 1, 0, 0))
    for name in ("operation", *_FIGURES):
        table.add_column(name, justify="left" if name == "operation" else "right", no_wrap=True)
    for name in names:
        table.add_row(escape(name), *(_figure(rows[name, metric]) for metric in _FIGURES.values()))
    return table


def _figure(row: Document) -> str:
    return figure(row["mean"], row["unit"], row["ci"])


def _findings(console: Console, findings: list[Document], summary: str) -> None:
    holding = [row for row in findings if row["runs"]["holds"] in ("all", "most")]
    rest = [row for row in findings if row["runs"]["holds"] not in ("all", "most")]
    shown = 0
    for title, rows, most in (
        ("holds across runs", holding, MOST_SHOWN),
        ("seen in some runs only", rest, MOST_OF_SOME),
    ):
        if rows:
            console.print(f"\n[bold]{title}[/]")
        for row in rows[:most]:
            _finding(console, row, summary)
            shown += 1
    if len(findings) > shown:
        console.print(f"  and {len(findings) - shown} smaller ones: storeprof analyze --json")


def _finding(console: Console, row: Document, summary: str) -> None:
    where, runs = row["where"], row["runs"]
    place = where["function"] or where["resource"] or "no place known"
    size = ""
    if row["share"] is not None:
        low, high = row["share_ci"]
        of = "CPU time" if row["share_of"] == "cpu" else "busy wall"
        size = f", {row['share']:.0%} ({low:.0%} to {high:.0%}) of {of}"
    found = f", in {runs['found']} of {runs['of']} runs" + (f" of {runs['workload']}" if runs["workload"] else "")
    _indented(console, f"{row['severity']} {row['kind']} {escape(place)}{size}{found}")
    new = row["recommendation"] not in summary
    if new and row["severity"] != "notice" and runs["holds"] in ("all", "most"):
        console.print(Padding(f"do first: {escape(row['recommendation'])}", (0, 0, 0, 4)))
