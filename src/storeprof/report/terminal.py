"""The report on one terminal screen: readable at 80 columns, without colour, in a pipe."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from storeprof.report.bars import WORDS, bar, legend
from storeprof.report.fitting import clipped, end_of, fitting, harmless, near, near_end
from storeprof.report.imported import file_line, largest_line
from storeprof.report.locks import lock_lines
from storeprof.report.passes import print_passes
from storeprof.report.probes import probe_lines
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
BAR, SHORTEST_BAR, LONGEST_NAME, SHORTEST_NAME = 16, 5, 22, 10
MOST_FINDINGS, MOST_OPERATIONS, MOST_EVIDENCE, MOST_LINES, MOST_FRAMES = 3, 5, 2, 4, 4
LINES_OF_EVIDENCE, LINES_OF_A_REASON, MOST_REASONS, MOST_FILES = 2, 2, 2, 5
LONG_TAIL, SHORTEST_TAIL_S, MOST_TAILS = 5, 1e-4, 2  # P99 over P50, and their difference


def print_report(document: Document, stream: TextIO) -> None:
    """Print the report; colour only where `stream` is a terminal."""
    shown = harmless(document)
    on_a_screen(stream, lambda console: _print(console, shown))


def on_a_screen(stream: TextIO, draw: Callable[[Console], None]) -> None:
    """Draw as wide as the terminal, 110 columns at most; in a pipe 80 columns, no colour, no blanks at a line's end."""
    if stream.isatty():
        console = Console(file=stream, highlight=False)
        console.width = min(console.width, WIDE)
        draw(console)
        return
    text = io.StringIO()
    draw(Console(file=text, width=NARROW, highlight=False))
    stream.writelines(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _print(console: Console, document: Document) -> None:
    _verdict(console, document)
    if "workloads" in document:
        print_runs(console, document, WORDS)
    else:
        _figures(console, document)
        _operations(console, document)
        _findings(console, document["findings"], document["summary"])
    _locks_and_probes(console, document)
    print_passes(console, document)
    _imported(console, document)
    _coverage(console, document["coverage"])
    _next(console, document)


def _verdict(console: Console, document: Document) -> None:
    colour = _COLOURS[document["verdict"]]
    console.print(f"[bold {colour}]{document['verdict'].upper()}[/]  {escape(summary_of(document))}")


def summary_of(document: Document) -> str:
    """The summary, its paths as seen from here."""
    summary = str(document["summary"])
    for file in {row["where"]["file"] for row in document["findings"]} - {None}:
        summary = summary.replace(file, near(file))
    return summary


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
    every, operations = document["operations"], document["operations"][:MOST_OPERATIONS]
    # On a narrow terminal names and bars give way: a figure that is cut short is another figure.
    name_width = max(LONGEST_NAME + console.width - NARROW, SHORTEST_NAME)
    bar_width = BAR + min(0, max(LONGEST_NAME + console.width - NARROW - SHORTEST_NAME, SHORTEST_BAR - BAR))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=bool(operations))
    first = f"operation ({len(operations)} of {len(every)})" if len(every) > len(operations) else "operation"
    for name in (first, "per second", "P50", "P95", "P99", "wall time") if operations else ("", ""):
        table.add_column(name, justify="left" if name in (first, "wall time", "") else "right", no_wrap=True)
    for row in operations:
        rate = "-" if row["throughput_per_s"] is None else f"{row['throughput_per_s']:,.0f}"
        percentiles = (duration(row["latency_s"][key]) for key in ("p50", "p95", "p99"))
        table.add_row(escape(end_of(row["name"], name_width)), rate, *percentiles, bar(row["wall_time"], bar_width))
    between = ("", "", "", "") if operations else ()
    total = bar(document["wall_time"], bar_width if operations else 2 * BAR)
    table.add_row(end_of("all busy wall time", max(name_width, len("busy wall"))), *between, total)
    console.print(Padding(table, (0, 0, 0, 2)))
    _indented(console, legend(document["wall_time"], [row["wall_time"] for row in operations]))
    for row in [one for one in operations if _has_long_tail(one)][: MOST_TAILS if operations == every else 1]:
        _tail(console, row)


def _has_long_tail(operation: Document) -> bool:
    tail, latency = operation["tail"], operation["latency_s"]
    if not tail or not tail["causes"]:
        return False
    return bool(latency["p99"] >= LONG_TAIL * latency["p50"] and tail["p99_minus_p50_s"] >= SHORTEST_TAIL_S)


def _tail(console: Console, operation: Document) -> None:
    """One line for an operation with a long tail: what its slow calls spend more time on."""
    tail = operation["tail"]
    words = f"{end_of(operation['name'], LONGEST_NAME)} P99 +{duration(tail['p99_minus_p50_s'])}:"
    for place, one in enumerate(tail["causes"][:3]):
        part = f" {WORDS[one['component']]} {min(one['share'], 1.0):.0%}"
        if place and len(words) + len(part) + 1 > console.width - 2:
            break
        words += f"{',' if place else ''}{part}"
    _indented(console, escape(words))


def _findings(console: Console, findings: list[Document], summary: str) -> None:
    if findings:
        number = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}"
        shown = f", {MOST_FINDINGS} shown" if len(findings) > MOST_FINDINGS else ""
        console.print(f"\n[dim]{number}{shown}; 95 % intervals; gone: at most the throughput without it[/]")
    for at, row in enumerate(findings[:MOST_FINDINGS]):
        colour = _COLOURS[row["severity"]]
        size = _size(row)
        room = console.width - len(f"{row['severity']} {row['kind']} {size}")
        size += next((words for words in _gains(row["impact"]) if len(words) <= room), "")
        console.print(f"[{colour}]{row['severity']}[/] [bold]{row['kind']}[/] {size}", soft_wrap=True)
        _indented(console, escape(_place(row["where"], console.width - 2)))
        if at == 0 and row["severity"] != "notice":
            _detail(console, row, summary)


def _place(where: Document, width: int) -> str:
    """Function, file, what is waited for and the operation, as much as fits a line; the place at least."""
    named = where["function"] or where["resource"] or "no place known"
    file = [f"{near_end(where['file'])}:{where['line']}"] if where["file"] and where["line"] else []
    operation = [f"in {where['operation']}"] if where["operation"] else []
    resource = [f"on {near(where['resource'])}"] if where["function"] and where["resource"] else []
    words = [end_of(named, width - len("".join(file)) - 2)]
    for one in (*file, *operation, *resource):
        if len("  ".join([*words, one])) <= width:
            words.append(one)
    return "  ".join(words)


def _size(row: Document) -> str:
    if row["share"] is not None:
        low, high = row["share_ci"]
        of = "CPU time" if row["share_of"] == "cpu" else "busy wall"
        return f"{row['share']:.0%} ({100 * low:.0f}–{high:.0%}) of {of}"
    if row["rate_bytes_per_s"] is not None:
        low, high = row["rate_ci"]
        return f"{row['rate_bytes_per_s'] / 1e6:.2f} MB/s ({low / 1e6:.2f}–{high / 1e6:.2f})"
    return "size unknown"


def _gains(impact: Document) -> tuple[str, ...]:
    """The gain in words, with and without its interval, where there is one."""
    if impact["speedup_if_fixed"] <= 1.0:
        return ()
    low, high = impact["ci"]
    basis = {"throughput": "", "latency": " faster"}.get(impact["basis"], f" {impact['basis']}")
    gain = f"; gone: {impact['speedup_if_fixed']:.2f}x"
    return f"{gain} ({low:.2f}–{high:.2f}){basis}", f"{gain}{basis}"


def _detail(console: Console, row: Document, summary: str) -> None:
    width = console.width - 2
    for line in row["evidence"][:MOST_EVIDENCE]:
        _indented(console, escape(clipped(line, width, LINES_OF_EVIDENCE)))
    if row["call_paths"]:
        frames = [_last_two(frame["function"]) for frame in row["call_paths"][0]["frames"][-MOST_FRAMES:]]
        _indented(console, escape("mostly by: " + fitting(frames, " > ", width - len("mostly by: "))))
    if row["lines"]:
        lines = ", ".join(f"line {line['line']} {line['share']:.0%}" for line in row["lines"][:MOST_LINES])
        _indented(console, f"{lines}; effort: {row['effort']}")
    if row["recommendation"] not in summary:
        _indented(console, escape(clipped(f"do first: {row['recommendation']}", width, LINES_OF_EVIDENCE)))


def _last_two(function: str) -> str:
    """Class and method of a Python function; a C++ name is left as it is."""
    return function if "(" in function or "::" in function else ".".join(function.rsplit("/", 1)[-1].split(".")[-2:])


def _locks_and_probes(console: Console, document: Document) -> None:
    probes = document.get("probes") or {}
    lines = list(lock_lines(document.get("locks") or [], document["duration_s"]))
    lines += probe_lines(probes) if probes else []
    if lines:
        console.print()
    for line in lines:  # what was asked for has more room
        room = LINES_OF_A_REASON if probes.get("expected") else 1
        _indented(console, escape(clipped(line, console.width - 2, room)))


def _imported(console: Console, document: Document) -> None:
    # What was cut short comes first, in full: figures are missing for it.
    files = sorted(document.get("imported") or [], key=lambda row: not row["cut_short"])
    if files:
        console.print()
    for row in files[:MOST_FILES]:
        words = f"imported {file_line(row)}"
        _indented(console, escape(words if row["cut_short"] else clipped(words, console.width - 2, 1)))
        if largest := largest_line(row):
            console.print(Padding(escape(clipped(largest, console.width - 4, 1)), (0, 0, 0, 4)))
    if len(files) > MOST_FILES:
        _indented(console, f"and {len(files) - MOST_FILES} more files: storeprof analyze --json")


def _coverage(console: Console, coverage: list[Document]) -> None:
    missing = [row["kind"] for row in coverage if not row["checked"]]
    partly: dict[str, list[Document]] = {}
    for row in coverage:
        if row["checked"] and row["reason"]:
            partly.setdefault(row["reason"], []).append(row)
    console.print()
    for reason, rows in list(partly.items())[:MOST_REASONS]:
        kinds = ", ".join(row["kind"] for row in rows[:2]) + (f" and {len(rows) - 2} more" if len(rows) > 2 else "")
        remedy = f"; {rows[0]['remedy']}" if rows[0]["remedy"] else ""
        words = clipped(f"looked at in part: {kinds}: {reason}{remedy}", console.width, LINES_OF_A_REASON)
        console.print(f"[dim]{escape(words)}[/]")
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
