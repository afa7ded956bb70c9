"""The report on one terminal screen."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from storeprof.report.runs import print_runs
from storeprof.report.units import duration

_COLOURS = {
    "bottleneck": "red",
    "hotspot": "yellow",
    "notice": "dim",
    "no-bottleneck": "green",
    "inconclusive": "yellow",
}
_WORDS = {
    "cpu": "on CPU", "run_queue": "waiting for a CPU", "lock": "lock", "gil": "GIL", "io": "disk", "network": "network",
    "dependency": "other threads' work", "gc": "garbage collection", "page_fault": "page faults from disk",
    "sleep": "sleeping", "other": "other",
}  # fmt: skip
WIDTH = 110
MOST_FINDINGS = 5
MOST_OPERATIONS = 6
LONG_TAIL = 3  # P99 over P50


def print_report(document: dict[str, Any], stream: TextIO) -> None:
    """Print the report; colour only where `stream` is a terminal."""
    width = None if stream.isatty() else WIDTH
    console = Console(file=stream, width=width, highlight=False, soft_wrap=False)
    _verdict(console, document)
    if "workloads" in document:
        print_runs(console, document, _WORDS)
        _coverage(console, document)
        return
    _metrics(console, document)
    _wall_time(console, document["wall_time"])
    _operations(console, document["operations"])
    _findings(console, document["findings"])
    _coverage(console, document)


def _verdict(console: Console, document: dict[str, Any]) -> None:
    colour = _COLOURS[document["verdict"]]
    console.print(f"[bold {colour}]{document['verdict'].upper()}[/]  {escape(document['summary'])}")


def _metrics(console: Console, document: dict[str, Any]) -> None:
    metrics = document["metrics"]
    rate = metrics["throughput_per_s"]
    parts = [
        f"{document['duration_s']:.1f} s measured",
        "throughput unknown" if rate is None else f"{rate:,.0f} operations/s",
        "CPU unknown" if metrics["cpu_percent"] is None else f"CPU {metrics['cpu_percent']:.0f} %",
        "memory unknown"
        if metrics["rss_peak_bytes"] is None
        else f"memory peak {metrics['rss_peak_bytes'] / 1e6:.0f} MB",
    ]
    overhead = document["overhead"]
    if overhead["observer_percent"] is not None:
        parts.append(f"observer {overhead['observer_percent']:.2f} % of the CPUs")
    if overhead["timing_percent"] is not None:
        parts.append(f"probes {overhead['timing_percent']:.2f} %")
    console.print("  " + "   ".join(parts))
    if overhead.get("advice"):
        console.print(f"  {overhead['advice']}")


def _wall_time(console: Console, shares: dict[str, float]) -> None:
    named = sorted(((share, key) for key, share in shares.items() if share >= 0.005), reverse=True)
    words = "   ".join(f"{_WORDS[key]} {share:.0%}" for share, key in named)
    console.print(f"  busy wall time: {words or 'none'}")


def _operations(console: Console, operations: list[dict[str, Any]]) -> None:
    if not operations:
        return
    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0))
    for name in ("operation", "per second", "P50", "P95", "P99", "max"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for row in operations[:MOST_OPERATIONS]:
        latency = row["latency_s"]
        rate = row["throughput_per_s"]
        figures = [duration(latency[key]) for key in ("p50", "p95", "p99", "max")]
        table.add_row(escape(row["name"]), "-" if rate is None else f"{rate:,.0f}", *figures)
    console.print()
    console.print(table)
    for row in operations[:MOST_OPERATIONS]:
        _tail(console, row)


def _tail(console: Console, operation: dict[str, Any]) -> None:
    """One line for an operation with a long tail: what its slow calls spend more time on."""
    tail, latency = operation["tail"], operation["latency_s"]
    if not tail or not tail["causes"] or latency["p99"] < LONG_TAIL * latency["p50"]:
        return
    parts = [f"{_WORDS[one['component']]} {min(one['share'], 1.0):.0%}" for one in tail["causes"][:3]]
    gap = duration(tail["p99_minus_p50_s"])
    console.print(f"  P99 of {escape(operation['name'])} is {gap} over its P50: {', '.join(parts)}")


def _findings(console: Console, findings: list[dict[str, Any]]) -> None:
    for row in findings[:MOST_FINDINGS]:
        where = row["where"]
        colour = _COLOURS[row["severity"]]
        place = where["function"] or where["resource"] or "no place known"
        file = f"  {where['file']}:{where['line']}" if where["file"] and where["line"] else ""
        console.print()
        console.print(f"[{colour}]{row['severity']}[/] [bold]{row['kind']}[/] {escape(place)}{escape(file)}")
        console.print(f"  {_size(row)}{_gain(row['impact'])}; effort: {row['effort']}")
        for line in row["evidence"]:
            console.print(f"  {escape(line)}")
        if row["severity"] != "notice":
            _detail(console, row)
    if len(findings) > MOST_FINDINGS:
        console.print(f"\n  and {len(findings) - MOST_FINDINGS} smaller ones: storeprof analyze --json")


def _size(row: dict[str, Any]) -> str:
    if row["share"] is not None:
        low, high = row["share_ci"]
        of = "CPU time" if row["share_of"] == "cpu" else "busy wall"
        return f"{row['share']:.0%} ({low:.0%} to {high:.0%}) of {of}"
    if row["rate_bytes_per_s"] is not None:
        low, high = row["rate_ci"]
        return f"{row['rate_bytes_per_s'] / 1e6:.2f} MB/s ({low / 1e6:.2f} to {high / 1e6:.2f})"
    return "size unknown"


def _gain(impact: dict[str, Any]) -> str:
    if impact["speedup_if_fixed"] <= 1.0:
        return ""
    low, high = impact["ci"]
    return f"; without it {impact['speedup_if_fixed']:.2f}x ({low:.2f} to {high:.2f}) the {impact['basis']}"


def _detail(console: Console, row: dict[str, Any]) -> None:
    if row["call_paths"]:
        path = " > ".join(frame["function"].rsplit("/", 1)[-1] for frame in row["call_paths"][0]["frames"][-5:])
        console.print(f"  mostly by: {escape(path)}")
    if row["lines"]:
        lines = ", ".join(f"line {line['line']} {line['share']:.0%}" for line in row["lines"][:4])
        console.print(f"  {escape(lines)}")
    console.print(f"  do first: {escape(row['recommendation'])}")


def _coverage(console: Console, document: dict[str, Any]) -> None:
    missing = [row["kind"] for row in document["coverage"] if not row["checked"]]
    partly = [row for row in document["coverage"] if row["checked"] and row["reason"]]
    console.print()
    for row in partly[:2]:
        remedy = f"; {row['remedy']}" if row["remedy"] else ""
        console.print(f"[dim]{row['kind']}: {escape(row['reason'] + remedy)}[/]")
    if missing:
        console.print(f"[dim]not checked: {', '.join(missing)}[/]")
