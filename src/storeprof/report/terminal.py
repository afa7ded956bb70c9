"""The report on one terminal screen: readable at 80 columns, without colour, in a pipe."""

from __future__ import annotations

import io
import shlex
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from storeprof.report.bars import WORDS, bar, legend
from storeprof.report.imported import file_line
from storeprof.report.passes import near, print_passes
from storeprof.report.runs import print_runs
from storeprof.report.units import duration

Document = dict[str, Any]
_COLOURS = {
    "bottleneck": "red",
    "hotspot": "yellow",
    "notice": "dim",
    "no-bottleneck": "green",
    "inconclusive": "yellow",
}
NARROW, WIDE = 80, 110  # in a pipe; at most
BAR, LONGEST_NAME = 16, 22
MOST_FINDINGS, MOST_OPERATIONS, MOST_EVIDENCE, MOST_LINES, MOST_FRAMES = 3, 6, 2, 4, 4
LONG_TAIL, SHORTEST_TAIL_S, MOST_TAILS = 5, 1e-4, 2  # P99 over P50, and their difference


def print_report(document: Document, stream: TextIO) -> None:
    """Print the report; colour only where `stream` is a terminal."""
    if stream.isatty():
        console = Console(file=stream, highlight=False)
        console.width = min(console.width, WIDE)
        _print(console, document)
        return
    text = io.StringIO()
    _print(Console(file=text, width=NARROW, highlight=False), document)
    stream.writelines(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _print(console: Console, document: Document) -> None:
    _verdict(console, document)
    if "workloads" in document:
        print_runs(console, document, WORDS)
    else:
        _figures(console, document)
        _operations(console, document)
        _findings(console, document["findings"], document["summary"])
    print_passes(console, document)
    _imported(console, document)
    _coverage(console, document["coverage"])
    _next(console, document)


def _verdict(console: Console, document: Document) -> None:
    colour = _COLOURS[document["verdict"]]
    console.print(f"[bold {colour}]{document['verdict'].upper()}[/]  {escape(document['summary'])}")


def _figures(console: Console, document: Document) -> None:
    metrics = document["metrics"]
    rate, cpu, memory = metrics["throughput_per_s"], metrics["cpu_percent"], metrics["rss_peak_bytes"]
    parts = [
        "duration unknown" if document["duration_s"] is None else f"{document['duration_s']:.1f} s measured",
        "throughput unknown" if rate is None else f"{rate:,.0f} operations/s",
        "CPU unknown" if cpu is None else f"CPU {cpu:.0f} %",
        "memory unknown" if memory is None else f"memory peak {memory / 1e6:.0f} MB",
    ]
    console.print()
    _indented(console, "   ".join(parts))
    _indented(console, f"overhead: {_overhead(document['overhead'])}")
    if document["overhead"].get("advice"):
        _indented(console, document["overhead"]["advice"])


def _overhead(overhead: Document) -> str:
    parts = []
    if overhead["timing_percent"] is not None:
        interval = overhead["timing_ci"]
        between = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
        parts.append(f"probes {overhead['timing_percent']:.2f} %{between}")
    if overhead["observer_percent"] is not None:
        parts.append(f"observer {overhead['observer_percent']:.2f} % of the CPUs")
    return ", ".join(parts) or "not measured"


def _operations(console: Console, document: Document) -> None:
    console.print()
    operations = document["operations"][:MOST_OPERATIONS]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=bool(operations))
    for name in ("operation", "per second", "P50", "P95", "P99", "wall time") if operations else ("", ""):
        table.add_column(name, justify="left" if name in ("operation", "wall time", "") else "right", no_wrap=True)
    for row in operations:
        rate = "-" if row["throughput_per_s"] is None else f"{row['throughput_per_s']:,.0f}"
        percentiles = (duration(row["latency_s"][key]) for key in ("p50", "p95", "p99"))
        table.add_row(escape(_end_of(row["name"])), rate, *percentiles, bar(row["wall_time"], BAR))
    between = ("", "", "", "") if operations else ()
    table.add_row("all busy wall time", *between, bar(document["wall_time"], BAR if operations else 2 * BAR))
    console.print(Padding(table, (0, 0, 0, 2)))
    _indented(console, legend(document["wall_time"], [row["wall_time"] for row in operations]))
    for row in [one for one in operations if _has_long_tail(one)][:MOST_TAILS]:
        _tail(console, row)


def _has_long_tail(operation: Document) -> bool:
    tail, latency = operation["tail"], operation["latency_s"]
    if not tail or not tail["causes"]:
        return False
    return bool(latency["p99"] >= LONG_TAIL * latency["p50"] and tail["p99_minus_p50_s"] >= SHORTEST_TAIL_S)


def _tail(console: Console, operation: Document) -> None:
    """One line for an operation with a long tail: what its slow calls spend more time on."""
    tail = operation["tail"]
    parts = [f"{WORDS[one['component']]} {min(one['share'], 1.0):.0%}" for one in tail["causes"][:3]]
    gap = duration(tail["p99_minus_p50_s"])
    _indented(console, f"{escape(_end_of(operation['name']))} P99 +{gap}: {', '.join(parts)}")


def _end_of(name: str) -> str:
    """A name that fits: its end, which tells more than its beginning."""
    return name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :]


def _findings(console: Console, findings: list[Document], summary: str) -> None:
    if findings:
        console.print(
            "\n[dim]findings, with 95 % intervals; gone: at most what throughput would be without the cost[/]"
        )
    for number, row in enumerate(findings[:MOST_FINDINGS]):
        colour = _COLOURS[row["severity"]]
        console.print(f"[{colour}]{row['severity']}[/] [bold]{row['kind']}[/]  {_size(row)}{_gain(row['impact'])}")
        _indented(console, escape(_place(row["where"])))
        if number == 0 and row["severity"] != "notice":
            _detail(console, row, summary)
    if len(findings) > MOST_FINDINGS:
        console.print(f"and {len(findings) - MOST_FINDINGS} smaller ones: storeprof analyze --json")


def _place(where: Document) -> str:
    named = [where["function"], where["resource"]] if where["function"] else [where["resource"] or "no place known"]
    file = [f"{near(where['file'])}:{where['line']}"] if where["file"] and where["line"] else []
    operation = [f"in {where['operation']}"] if where["operation"] else []
    return "  ".join([*(name for name in named if name), *file, *operation])


def _size(row: Document) -> str:
    if row["share"] is not None:
        low, high = row["share_ci"]
        of = "CPU time" if row["share_of"] == "cpu" else "busy wall"
        return f"{row['share']:.0%} ({100 * low:.0f}–{high:.0%}) of {of}"
    if row["rate_bytes_per_s"] is not None:
        low, high = row["rate_ci"]
        return f"{row['rate_bytes_per_s'] / 1e6:.2f} MB/s ({low / 1e6:.2f}–{high / 1e6:.2f})"
    return "size unknown"


def _gain(impact: Document) -> str:
    if impact["speedup_if_fixed"] <= 1.0:
        return ""
    low, high = impact["ci"]
    basis = "" if impact["basis"] == "throughput" else f" {impact['basis']}"
    return f"; gone: {impact['speedup_if_fixed']:.2f}x ({low:.2f}–{high:.2f}){basis}"


def _detail(console: Console, row: Document, summary: str) -> None:
    for line in row["evidence"][:MOST_EVIDENCE]:
        _indented(console, escape(line))
    if row["call_paths"]:
        frames = row["call_paths"][0]["frames"][-MOST_FRAMES:]
        _indented(console, "mostly by: " + escape(" > ".join(_last_two(frame["function"]) for frame in frames)))
    if row["lines"]:
        lines = ", ".join(f"line {line['line']} {line['share']:.0%}" for line in row["lines"][:MOST_LINES])
        _indented(console, f"{lines}; effort: {row['effort']}")
    if row["recommendation"] not in summary:
        _indented(console, f"do first: {escape(row['recommendation'])}")


def _last_two(function: str) -> str:
    """Class and method of a Python function; a C++ name is left as it is."""
    return function if "(" in function or "::" in function else ".".join(function.rsplit("/", 1)[-1].split(".")[-2:])


def _imported(console: Console, document: Document) -> None:
    files = document.get("imported") or []
    if files:
        console.print()
    for row in files:
        _indented(console, escape(f"imported {file_line(row)}"))


def _coverage(console: Console, coverage: list[Document]) -> None:
    missing = [row["kind"] for row in coverage if not row["checked"]]
    partly = [row for row in coverage if row["checked"] and row["reason"]]
    console.print()
    for row in partly[:2]:
        remedy = f"; {row['remedy']}" if row["remedy"] else ""
        console.print(f"[dim]looked at in part: {row['kind']}: {escape(row['reason'] + remedy)}[/]")
    console.print(f"[dim]not looked at: {', '.join(missing) or 'nothing was left out'}[/]")


def _next(console: Console, document: Document) -> None:
    """Where the recording is, and what to do with it."""
    folder = shlex.quote(near(document["recording"]))
    console.print(f"[dim]recording:[/] {escape(folder)}", soft_wrap=True)
    fixable = [row for row in document["findings"] if row["severity"] == "bottleneck"]
    if fixable:
        console.print(f"[dim]after a change:[/] {escape(fixable[0]['verify'])}")
    look = f"storeprof report {folder} --html report.html"
    console.print(f"[dim]look closer:[/] {escape(look)}", soft_wrap=True)


def _indented(console: Console, words: str) -> None:
    console.print(Padding(words, (0, 0, 0, 2)))
