"""Findings of several runs that are one: found in how many, how large on average, how severe in most."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from storeprof.analysis.runs.spread import between_runs

Document = dict[str, Any]
_SEVERITIES = ("notice", "hotspot", "bottleneck")
# There is one GIL and one set of CPUs: who holds it most may be another function in each run.
OF_THE_WHOLE_PROGRAM = frozenset({"gil-contention", "cpu-starvation"})


def merged_findings(documents: list[Document], workload: str | None) -> list[Document]:
    """Findings over the runs of one workload, each with `runs`; those that hold come first, in their usual order."""
    groups: dict[tuple[Any, ...], list[Document]] = {}
    for document in documents:
        seen: set[tuple[Any, ...]] = set()
        for row in document["findings"]:
            key = key_of(row)
            if key not in seen:  # two of one key in one run: the larger one stands for both
                groups.setdefault(key, []).append(row)
            seen.add(key)
    merged = [_merged(rows, len(documents), workload) for rows in groups.values()]
    return sorted(merged, key=order)


def key_of(row: Document) -> tuple[Any, ...]:
    """What findings of different recordings have in common when they are the same one."""
    if row["kind"] in OF_THE_WHOLE_PROGRAM:
        return (row["kind"],)
    resource = row["where"]["resource"]
    if resource and resource.startswith("/"):  # each run has files of its own: the kind of file is what they share
        resource = re.sub(r"\d+", "#", resource.rsplit("/", 1)[-1])
    return (row["kind"], row["where"]["function"], resource)


def _merged(rows: list[Document], count: int, workload: str | None) -> Document:
    largest = max(rows, key=_size)
    severe = Counter(dict.fromkeys(_SEVERITIES, 0))
    severe.update(row["severity"] for row in rows)
    found = len(rows)
    at_least = {name: sum(severe[other] for other in _SEVERITIES[place:]) for place, name in enumerate(_SEVERITIES)}
    severity = next((name for name in reversed(_SEVERITIES) if 2 * at_least[name] > count), "notice")
    return {
        **largest,
        "severity": severity,
        "share": _mean(rows, "share"),
        "share_ci": _interval(rows, "share", largest["share_ci"]),
        "impact": {
            **largest["impact"],
            "speedup_if_fixed": between_runs([row["impact"]["speedup_if_fixed"] for row in rows]).mean,
            "ci": between_runs([row["impact"]["speedup_if_fixed"] for row in rows]).interval or largest["impact"]["ci"],
        },
        "runs": {"found": found, "of": count, "holds": _holds(found, count), "workload": workload},
    }


def _holds(found: int, count: int) -> str:
    if found == count:
        return "all"
    if 2 * found > count:
        return "most"
    return "once" if found == 1 else "some"


def _size(row: Document) -> float:
    return float(row["share"] or 0.0)


def _mean(rows: list[Document], name: str) -> float | None:
    return between_runs([row[name] for row in rows]).mean


def _interval(rows: list[Document], name: str, own: list[float] | None) -> list[float] | None:
    return between_runs([row[name] for row in rows], most=1.0).interval or own


def order(row: Document) -> tuple[bool, int, float]:
    """What holds first, the severe before the rest, then the larger gain."""
    rank = -_SEVERITIES.index(row["severity"])
    return row["runs"]["holds"] not in ("all", "most"), rank, -float(row["impact"]["speedup_if_fixed"])
