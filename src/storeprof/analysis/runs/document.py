"""Several runs judged together: what holds in all of them, and how much they differ (docs/formats/findings.md).

Runs are the unit here: intervals are Student's t over runs, whatever the runs say of themselves. Two runs of one
program differ by more than the looks within one let expect (Kalibera and Jones, ISMM 2013).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from storeprof.analysis.memory_tags import merged_tags
from storeprof.analysis.named_locks import merged_locks
from storeprof.analysis.probe_coverage import merged_coverage
from storeprof.analysis.runs.findings import merged_findings, order
from storeprof.analysis.runs.spread import between_runs, mean
from storeprof.analysis.target import target_of, with_target

Document = dict[str, Any]
_WORST = ("bottleneck", "inconclusive", "no-bottleneck")


@dataclass(frozen=True)
class Run:
    """One run: the workload it had (None for a command), and its findings document."""

    workload: str | None
    document: Document


def combine(folder: str, runs: Sequence[Run], target_per_s: float | None = None) -> Document:
    """The findings document over all runs; `runs` is not empty, those of a workload stand in the order they were made.

    The runs' own documents have no target: a target is for the mean of a workload.
    """
    groups: dict[str | None, list[Document]] = {}
    for run in runs:
        groups.setdefault(run.workload, []).append(run.document)
    parts = [_workload(name, documents, target_per_s) for name, documents in groups.items()]
    verdict = min((part["verdict"] for part in parts), key=_WORST.index)
    speaking = next(part for part in parts if part["verdict"] == verdict)
    named = f"{speaking['workload']}: " if len(parts) > 1 else ""
    everything = [run.document for run in runs]
    findings = sorted((row for part in parts for row in part["findings"]), key=order)
    return {
        **everything[0],
        "verdict": verdict,
        "summary": named + speaking["summary"],
        "recording": folder,
        "duration_s": round(sum(one["duration_s"] for one in everything), 3),
        "overhead": {**everything[0]["overhead"], **_means(one["overhead"] for one in everything)},
        "metrics": _metrics(groups),
        "target": speaking["target"],
        "wall_time": _mean_shares([one["wall_time"] for one in everything]),
        "operations": [row for name, documents in groups.items() for row in _operations(name, documents)],
        "functions": _functions(everything),
        "locks": merged_locks(one["locks"] for one in everything),
        "memory_tags": merged_tags(one["memory_tags"] for one in everything),
        "probes": merged_coverage(one["probes"] for one in everything),
        "findings": findings,
        "coverage": _coverage(everything),
        "passes": next((one["passes"] for one in everything if _has_passes(one)), []),
        "runs": [_run(run) for run in runs],
        "workloads": [{key: part[key] for key in part if key not in ("findings", "summary")} for part in parts],
    }


def _workload(name: str | None, documents: list[Document], target_per_s: float | None) -> Document:
    findings = merged_findings(documents, name)
    rates = [one["metrics"]["throughput_per_s"] for one in documents]
    spread = between_runs(rates)
    measured = {"throughput_per_s": spread.mean, "throughput_ci": spread.interval}
    target = target_of(target_per_s, measured, findings)
    verdict, summary = _judged(documents, findings)
    return {
        "workload": name,
        "runs": len(documents),
        "verdict": verdict,
        "summary": with_target(verdict, summary, target),
        "target": target.as_document() if target else None,
        "table": list(_table(documents)),
        "wall_time": [
            {"name": key, "operation": None, "unit": "share", **between_runs(values, most=1.0).as_document()}
            for key, values in _by_key([one["wall_time"] for one in documents]).items()
        ],
        "findings": findings,
    }


def _judged(documents: list[Document], findings: list[Document]) -> tuple[str, str]:
    """What most runs say; a bottleneck has to be the same one in most of them."""
    verdict, votes = Counter(one["verdict"] for one in documents).most_common(1)[0]
    count = len(documents)
    said = [one["summary"] for one in documents if one["verdict"] == verdict]
    worst = next((row for row in findings if row["severity"] == "bottleneck"), None)
    in_runs = f"in {votes} of {count} runs: " if count > 1 else ""
    if 2 * votes <= count:
        listed = ", ".join(one["verdict"] for one in documents)
        return "inconclusive", f"the runs disagree ({listed}); record more of them, or longer ones"
    if verdict != "bottleneck":
        return verdict, in_runs + said[0]
    if worst is None:
        return "inconclusive", "most runs have a bottleneck, but not the same one; record longer ones"
    return verdict, _sentence(worst) if count > 1 else said[0]


def _sentence(row: Document) -> str:
    where, runs = row["where"], row["runs"]
    place = where["function"] or where["resource"] or "native code without symbols"
    at = f" ({where['file']}:{where['line']})" if where["file"] and where["line"] else ""
    size = ""
    if row["share"] is not None:
        low, high = row["share_ci"]
        of = "CPU time" if row["share_of"] == "cpu" else "busy wall time"
        size = f": {row['share']:.0%} of {of} ({low:.0%} to {high:.0%} between runs)"
    return f"{row['kind']} at {place}{at} in {runs['found']} of {runs['of']} runs{size}; {row['recommendation']}"


def _table(documents: list[Document]) -> Iterable[Document]:
    """Rows of the workload's table: metric, unit, mean, interval between runs, and the values."""

    def row(name: str, unit: str, values: Sequence[float | None], operation: str | None = None) -> Document:
        return {"name": name, "operation": operation, "unit": unit, **between_runs(values).as_document()}

    every = [one["metrics"] for one in documents]
    yield row("throughput", "1/s", [one["throughput_per_s"] for one in every])
    for percentile in ("p50", "p95", "p99"):
        yield row(f"latency_{percentile}", "s", [one["latency_s"][percentile] for one in every])
    yield row("cpu_per_operation", "s", [_cpu_per_operation(one) for one in every])
    yield row("memory_peak", "B", [one["rss_peak_bytes"] for one in every])
    for name in _operation_names(documents):
        found = [next((one for one in document["operations"] if one["name"] == name), None) for document in documents]
        yield row("throughput", "1/s", [one["throughput_per_s"] if one else None for one in found], name)
        for percentile in ("p50", "p95", "p99"):
            values = [one["latency_s"][percentile] if one else None for one in found]
            yield row(f"latency_{percentile}", "s", values, name)


def _cpu_per_operation(metrics: Document) -> float | None:
    if metrics["cpu_percent"] is None or not metrics["throughput_per_s"]:
        return None
    return float(metrics["cpu_percent"]) / 100 / float(metrics["throughput_per_s"])


def _operation_names(documents: list[Document]) -> list[str]:
    return list(dict.fromkeys(row["name"] for document in documents for row in document["operations"]))


def _metrics(groups: dict[str | None, list[Document]]) -> Document:
    every = [one["metrics"] for documents in groups.values() for one in documents]
    latency = _means(one["latency_s"] for one in every)
    whole: Document = {**every[0], **_means(every), "latency_s": latency}
    whole["throughput_ci"] = between_runs([one["throughput_per_s"] for one in every]).interval
    if len(groups) > 1:
        whole = dict.fromkeys(whole) | {"latency_s": dict.fromkeys(latency)}
    peaks = [one["rss_peak_bytes"] for one in every if one["rss_peak_bytes"] is not None]
    return {**whole, "rss_peak_bytes": max(peaks, default=None)}


def _means(rows: Iterable[Document]) -> Document:
    """Means of the figures of several objects; None where no run knows it."""
    return {
        name: mean([value for value in values if value is not None])
        for name, values in _by_key(list(rows)).items()
        if all(value is None or isinstance(value, int | float) for value in values)
    }


def _by_key(rows: list[Document]) -> dict[str, list[Any]]:
    return {name: [row.get(name) for row in rows] for name in rows[0]}


def _mean_shares(rows: list[Document]) -> Document:
    known = [row for row in rows if row and sum(row.values()) > 0]
    return {name: round(sum(row[name] for row in known) / len(known), 6) for name in known[0]} if known else rows[0]


def _operations(workload: str | None, documents: list[Document]) -> list[Document]:
    merged = []
    for name in _operation_names(documents):
        found = [row for document in documents for row in document["operations"] if row["name"] == name]
        merged.append(
            {
                **found[0],
                "workload": workload,
                "count": sum(row["count"] for row in found),
                "throughput_per_s": mean([row["throughput_per_s"] for row in found if row["throughput_per_s"]]),
                "latency_s": _means(row["latency_s"] for row in found),
                "wall_time": _mean_shares([row["wall_time"] for row in found]),
            }
        )
    return merged


def _functions(documents: list[Document], most: int = 20) -> list[Document]:
    rows: dict[tuple[Any, ...], list[Document]] = {}
    for document in documents:
        for row in document["functions"]:
            rows.setdefault((row["function"], row["file"], row["line"]), []).append(row)
    shares = ("self_cpu_share", "total_cpu_share")
    merged = [
        {**found[0], **{name: round(sum(row[name] for row in found) / len(documents), 4) for name in shares}}
        for found in rows.values()
    ]
    return sorted(merged, key=lambda row: -float(row["self_cpu_share"]))[:most]


def _coverage(documents: list[Document]) -> list[Document]:
    """Per kind the row of the run that saw least."""
    merged: dict[str, Document] = {}
    for document in documents:
        for row in document["coverage"]:
            kept = merged.setdefault(row["kind"], row)
            if kept["checked"] and not row["checked"]:
                merged[row["kind"]] = row
    return list(merged.values())


def _run(run: Run) -> Document:
    document = run.document
    return {
        "recording": document["recording"],
        "workload": run.workload,
        "verdict": document["verdict"],
        "summary": document["summary"],
        "duration_s": document["duration_s"],
        "exit_status": document["recorded"]["exit_status"],
        "throughput_per_s": document["metrics"]["throughput_per_s"],
    }


def _has_passes(document: Document) -> bool:
    return any(row["collects"] for row in document.get("passes") or [])
