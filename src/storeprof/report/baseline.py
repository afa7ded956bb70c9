"""The baseline: the figures of a recording as a Markdown page to keep, beside which later ones are read."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from storeprof.report.units import duration, figure

MARK = "<!-- storeprof baseline 1 -->"
Document = dict[str, Any]
_MACHINE = ("system", "kernel", "machine", "cpu", "cpus_online", "cpus_usable", "load_average")


def baseline(document: Document) -> str:
    """The page of a findings document, of one recording or of several runs."""
    several = "workloads" in document
    parts = [
        f"{MARK}\n# Baseline of {_subject(document['recorded'], several)}",
        document["summary"][:1].upper() + document["summary"][1:] + ".",
        _table(("", ""), _how(document)),
        *(_of_runs(document) if several else _of_one(document)),
        "## Findings\n\n" + "\n".join(_findings(document["findings"])),
        "## What was looked at\n\n" + _table(("kind", "by, or why not"), _coverage(document["coverage"])),
    ]
    return "\n\n".join(parts) + "\n"


def _subject(recorded: Document, several: bool) -> str:
    if recorded["engine"]:
        return f"{recorded['engine']}{'' if several else ', workload ' + recorded['workload']}"
    return _command(recorded)


def _command(recorded: Document) -> str:
    if recorded["command"]:
        return f"`{shlex.join(recorded['command'])}`"
    return f"process {recorded['attached_pid']}"


def _how(document: Document) -> Iterable[tuple[str, str]]:
    recorded = document["recorded"]
    machine = recorded["machine"] or {}
    yield "recorded", f"{recorded['started_at'] or 'unknown'} by storeprof {recorded['storeprof'] or 'unknown'}"
    yield "verdict", document["verdict"]
    yield "command", _command(recorded)
    if recorded["engine"]:
        yield "load", f"{recorded['threads']} threads, seed {recorded['seed']}"
    yield (
        "measured",
        ("unknown" if document["duration_s"] is None else f"{document['duration_s']:.1f} s")
        + (f" in {len(document['runs'])} runs" if "runs" in document else ""),
    )
    yield from ((name.replace("_", " "), str(machine[name])) for name in _MACHINE if name in machine)
    yield "memory", _bytes(machine.get("memory_bytes"))
    observer = document["overhead"]["observer_percent"]
    yield "observer", "unknown" if observer is None else f"{observer:.2f} % of the usable CPUs"


def _of_one(document: Document) -> Iterable[str]:
    metrics = document["metrics"]
    rows = [("operations per second", _number(metrics["throughput_per_s"]), _interval(metrics["throughput_ci"]))]
    rows += [(f"latency {name}", duration(value), "-") for name, value in metrics["latency_s"].items()]
    rows += [
        ("CPU", _number(metrics["cpu_percent"], " %"), "-"),
        ("memory, peak", _bytes(metrics["rss_peak_bytes"]), "-"),
        ("memory, mean", _bytes(metrics["rss_mean_bytes"]), "-"),
        ("read from disk", _bytes(metrics["read_bytes"]), "-"),
        ("written to disk", _bytes(metrics["written_bytes"]), "-"),
    ]
    yield "## Figures\n\n" + _table(("figure", "value", "95 % interval"), rows)
    shares = sorted(document["wall_time"].items(), key=lambda row: -row[1])
    yield "## Busy wall time\n\n" + _table(
        ("part", "share"), [(name, f"{share:.1%}") for name, share in shares if share]
    )
    if document["operations"]:
        yield "## Operations\n\n" + _operations(document["operations"])


def _operations(operations: list[Document]) -> str:
    percentiles = ("p50", "p95", "p99", "max")
    rows = [
        (row["name"], _number(row["throughput_per_s"]), *(duration(row["latency_s"][name]) for name in percentiles))
        for row in operations
    ]
    return _table(("operation", "per second", "P50", "P95", "P99", "max"), rows)


def _of_runs(document: Document) -> Iterable[str]:
    for workload in document["workloads"]:
        title = f"Workload {workload['workload']}" if workload["workload"] else "Figures"
        rows = [_row_of_runs(row) for row in workload["table"] + workload["wall_time"] if row["mean"]]
        head = ("figure", "mean (95 % between runs)", *(f"run {n + 1}" for n in range(workload["runs"])))
        yield f"## {title}, {workload['runs']} runs\n\n" + _table(head, rows)


def _row_of_runs(row: Document) -> tuple[str, ...]:
    name = (f"{row['operation']} " if row["operation"] else "") + row["name"].replace("_", " ")
    values = (figure(value, row["unit"]) for value in row["runs"])
    return name, figure(row["mean"], row["unit"], row["ci"]), *values


def _findings(findings: list[Document]) -> Iterable[str]:
    if not findings:
        yield "None."
    for row in findings:
        where = row["where"]
        place = where["function"] or where["resource"] or "no place known"
        size = (
            ""
            if row["share"] is None
            else f", {row['share']:.1%} of {row['share_of']} time {_interval(row['share_ci'])}"
        )
        runs = f", in {row['runs']['found']} of {row['runs']['of']} runs" if "runs" in row else ""
        yield f"- {row['severity']}: {row['kind']} at `{place}`{size}{runs}"


def _coverage(coverage: list[Document]) -> Iterable[tuple[str, str]]:
    for row in coverage:
        yield row["kind"], row["by"] or "checked" if row["checked"] else f"not checked: {row['reason']}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _number(value: float | None, unit: str = "") -> str:
    return "unknown" if value is None else f"{value:,.1f}{unit}"


def _bytes(value: float | None) -> str:
    return "unknown" if value is None else figure(value, "B")


def _interval(ends: list[float] | None) -> str:
    return "-" if ends is None else f"({ends[0]:.4g} to {ends[1]:.4g})"
