"""Markdown for a pull request: verdict, figures, and findings that unfold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from storeprof.report.bars import WORDS
from storeprof.report.units import duration, figure

Document = dict[str, Any]
MOST_FINDINGS = 6
MOST_OPERATIONS = 8
SMALLEST_SHARE = 0.005
_SPECIAL = re.compile(r"([\\`*_\[\]#|~$@<>&])")
# What hosts of pull requests act upon in finished text, where an entity is the character again: @mention, #12, :emoji:,
# addresses. A space without width keeps them apart.
_ACTED_UPON = re.compile(r"&#64;(?=\w)|&#35;(?=\d)|:(?=[a-z0-9+-]+:)|:(?=//)|\bwww(?=\.)")
_APART = "&#8203;"


def markdown(document: Document) -> bytes:
    """The findings document of one recording as GitHub-flavoured Markdown.

    Names of the program are text throughout: markup, mentions and pipes in them have no effect.
    """
    return ("\n\n".join(_blocks(document)) + "\n").encode("utf-8", "replace")


def _blocks(document: Document) -> Iterator[str]:
    yield f"### storeprof: {document['verdict']}"
    yield _plain(document["summary"])
    yield _figures(document)
    if document["operations"]:
        yield _operations(document["operations"][:MOST_OPERATIONS])
        if len(document["operations"]) > MOST_OPERATIONS:
            yield f"And {len(document['operations']) - MOST_OPERATIONS} more operations, each with less time."
    yield f"Busy wall time: {_wall_time(document['wall_time'])}."
    findings = document["findings"]
    if findings:
        yield f"#### Findings ({len(findings)})"
        yield _table(
            ("", "kind", "where", "size (95 %)", "gain if it were gone"), map(_finding, findings[:MOST_FINDINGS])
        )
        yield from (_detail(row) for row in findings[:MOST_FINDINGS] if row["severity"] != "notice")
        if len(findings) > MOST_FINDINGS:
            yield f"And {len(findings) - MOST_FINDINGS} smaller ones."
    left: dict[str, list[str]] = {}
    for row in document["coverage"]:
        if not row["checked"]:
            left.setdefault(row["reason"] or "unknown", []).append(row["kind"])
    if left:
        reasons = "; ".join(f"{', '.join(kinds)} ({_plain(reason)})" for reason, kinds in left.items())
        yield f"Not checked: {reasons}."


def _figures(document: Document) -> str:
    metrics, overhead = document["metrics"], document["overhead"]
    rate, observer = metrics["throughput_per_s"], overhead["observer_percent"]
    row = (
        "unknown" if document["duration_s"] is None else f"{document['duration_s']:.1f} s",
        "unknown" if rate is None else f"{rate:,.0f}/s",
        *(duration(metrics["latency_s"][name]) for name in ("p50", "p95", "p99")),
        "unknown" if metrics["cpu_percent"] is None else f"{metrics['cpu_percent']:.0f} %",
        "unknown" if metrics["rss_peak_bytes"] is None else figure(metrics["rss_peak_bytes"], "B"),
        "unknown" if observer is None else f"{observer:.2f} %",
    )
    return _table(("measured", "throughput", "P50", "P95", "P99", "CPU", "peak memory", "observer's CPU"), [row])


def _operations(operations: list[Document]) -> str:
    rows = []
    for row in operations:
        rate = row["throughput_per_s"]
        latencies = (duration(row["latency_s"][name]) for name in ("p50", "p95", "p99", "max"))
        rows.append((_plain(row["name"]), "unknown" if rate is None else f"{rate:,.0f}", *latencies))
    return _table(("operation", "per second", "P50", "P95", "P99", "max"), rows)


def _wall_time(shares: dict[str, float]) -> str:
    named = sorted(((share, key) for key, share in shares.items() if share >= SMALLEST_SHARE), reverse=True)
    return ", ".join(f"{WORDS[key]} {share:.0%}" for share, key in named) or "none"


def _finding(row: Document) -> tuple[str, ...]:
    where, impact = row["where"], row["impact"]
    place = _plain(where["function"] or where["resource"] or "no place known")
    file = f"<br>{_plain(where['file'])}:{where['line']}" if where["file"] and where["line"] else ""
    gain = "–"
    if impact["speedup_if_fixed"] > 1.0:
        low, high = impact["ci"]
        basis = "shorter latency" if impact["basis"] == "latency" else f"the {impact['basis']}"
        gain = f"{impact['speedup_if_fixed']:.2f}x ({low:.2f}–{high:.2f}) {basis}"
    return row["severity"], row["kind"], place + file, _size(row), gain


def _size(row: Document) -> str:
    if row["share"] is not None:
        low, high = row["share_ci"]
        return f"{row['share']:.0%} ({low:.0%}–{high:.0%}) of {'CPU time' if row['share_of'] == 'cpu' else 'busy wall'}"
    if row["rate_bytes_per_s"] is not None:
        low, high = row["rate_ci"]
        return f"{row['rate_bytes_per_s'] / 1e6:.2f} ({low / 1e6:.2f}–{high / 1e6:.2f}) MB/s"
    return "unknown"


def _detail(row: Document) -> str:
    place = row["where"]["function"] or row["where"]["resource"] or "no place known"
    lines = [f"- {_plain(line)}" for line in row["evidence"]]
    for path in row["call_paths"][:1]:
        lines.append("- mostly by " + " → ".join(_plain(frame["function"]) for frame in path["frames"]))
    at = ", ".join(f"line {line['line']} {line['share']:.0%}" for line in row["lines"][:4])
    lines += [f"- {at}"] if at else []
    lines.append(f"- do first: {_plain(row['recommendation'])}")
    title = f"<b>{row['kind']}</b> {_plain(place)}"
    return f"<details><summary>{title}</summary>\n\n" + "\n".join(lines) + "\n\n</details>"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _plain(words: str) -> str:
    """Text of others on one line, with nothing in it that Markdown, HTML or a host of pull requests would act upon."""
    text = _SPECIAL.sub(lambda found: f"&#{ord(found[1])};", " ".join(words.split()))
    return _ACTED_UPON.sub(lambda found: found[0] + _APART, text)
