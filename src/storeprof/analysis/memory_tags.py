"""Memory tags: live, peak, allocated, freed and counts per type, and per type and the scopes that count it.

Live bytes are right whichever thread frees: they are what all threads allocated less what all freed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from storeprof.analysis.scope_paths import scope_paths
from storeprof.recording.model import Recording, rows_of

Document = dict[str, Any]
MOST_TAGS, MOST_PATHS = 30, 5
COUNTERS = ("allocations", "allocated_bytes", "frees", "freed_bytes")


def memory_tags(recording: Recording) -> list[Document]:
    """`memory_tags` of the findings document (docs/formats/findings.md), by the bytes allocated."""
    last = rows_of(
        recording.sql(
            """
            SELECT tag, sum(allocations)::BIGINT AS allocations, sum(allocated_bytes)::BIGINT AS allocated_bytes,
                sum(frees)::BIGINT AS frees, sum(freed_bytes)::BIGINT AS freed_bytes,
                sum(live_bytes)::BIGINT AS live_bytes, sum(peak)::BIGINT AS seen, sum(most)::BIGINT AS most
            FROM (
                SELECT proc_id, tag, max(allocations) AS allocations, max(allocated_bytes) AS allocated_bytes,
                    max(frees) AS frees, max(freed_bytes) AS freed_bytes, arg_max(live_bytes, t_ns) AS live_bytes,
                    max(live_bytes) AS peak, max(peak_most_bytes) AS most
                FROM memory_tags GROUP BY ALL
            ) GROUP BY tag ORDER BY allocated_bytes DESC, tag
            """
        )
    )
    paths = _by_path(recording) if last else {}
    return [
        {
            "name": row["tag"],
            **{name: row[name] for name in (*COUNTERS, "live_bytes")},
            "peak_bytes": [row["seen"], row["most"]],
            "paths": paths.get(row["tag"], [])[:MOST_PATHS],
        }
        for row in last[:MOST_TAGS]
    ]


def _by_path(recording: Recording) -> dict[str, list[Document]]:
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in COUNTERS)
    most = ", ".join(f"max({name}) AS {name}" for name in COUNTERS)
    rows = rows_of(
        recording.sql(
            f"SELECT tag, node, {sums} FROM (SELECT proc_id, tag, node, {most} FROM memory_tag_paths GROUP BY ALL) "
            "GROUP BY tag, node ORDER BY tag, node"
        )
    )
    scopes = scope_paths(recording)
    found: dict[tuple[str, tuple[str, ...]], Document] = {}
    for row in rows:  # the same scopes in several processes are one
        key = row["tag"], tuple(scopes.get(row["node"], ()))
        known = found.setdefault(key, {"scopes": list(key[1]), **dict.fromkeys(COUNTERS, 0)})
        for name in COUNTERS:
            known[name] += row[name]
    by_tag: dict[str, list[Document]] = defaultdict(list)
    for (tag, _), row in sorted(found.items(), key=lambda item: -item[1]["allocated_bytes"] - item[1]["freed_bytes"]):
        by_tag[tag].append(row)
    return by_tag


def merged_tags(runs: Iterable[list[Document]]) -> list[Document]:
    """`memory_tags` of several runs: of each tag the row of the run in which its peak was highest."""
    best: dict[str, Document] = {}
    for row in (row for listed in runs for row in listed):
        known = best.get(row["name"])
        if known is None or (row["peak_bytes"][0] or 0) > (known["peak_bytes"][0] or 0):
            best[row["name"]] = row
    return list(best.values())
