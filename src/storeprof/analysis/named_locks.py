"""Locks with names: how often and long each is waited for and held, in which scopes, and what its holders did.

Counts and times come from the lock itself (`storeprof.Lock`, `storeprof::mutex`), exact but for holds of locks that are
taken often, a random part of which is timed; what holders did comes from the looks at which others waited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from storeprof.analysis.accounting.beside import beside
from storeprof.analysis.accounting.charges import CATEGORIES, LOCK
from storeprof.analysis.context import Context
from storeprof.analysis.describe import functions
from storeprof.analysis.scope_paths import scope_paths
from storeprof.recording.model import rows_of

Document = dict[str, Any]
MOST_LOCKS, MOST_PATHS = 20, 5
KINDS = {"wait": "waits", "hold": "holds"}


def named_locks(context: Context) -> list[Document]:
    """`locks` of the findings document (docs/formats/findings.md): the longest waits first, then the longest holds."""
    start, end = context.recording.window
    rows = rows_of(
        context.recording.sql(
            "SELECT lock, kind, node, sum(count)::BIGINT AS count, sum(total_ns) / 1e9 AS seconds, "
            "max(max_ns) / 1e9 AS longest FROM lock_stays WHERE t1_ns > ? AND t0_ns < ? GROUP BY ALL ORDER BY ALL",
            [start, end + 1_500_000_000],
        )
    )
    by_lock: dict[str, list[Document]] = defaultdict(list)
    for row in rows:
        by_lock[row["lock"]].append(row)
    paths = scope_paths(context.recording) if by_lock else {}
    found = [_lock(name, rows, paths, context.recording.duration_s) for name, rows in by_lock.items()]
    ranked = sorted(found, key=lambda one: (-one["waits"]["seconds"], -one["holds"]["seconds"]))[:MOST_LOCKS]
    return [{**one, **_holders(context, one["name"])} for one in ranked]


def _lock(name: str, rows: list[Document], paths: dict[int, list[str]], duration_s: float) -> Document:
    sums = {KINDS[kind]: _sums([row for row in rows if row["kind"] == kind]) for kind in KINDS}
    by_node: dict[int, list[Document]] = defaultdict(list)
    for row in rows:
        by_node[row["node"]].append(row)
    per_path: list[Document] = [
        {
            "scopes": paths.get(node, []),
            **{KINDS[kind]: _sums([row for row in mine if row["kind"] == kind]) for kind in KINDS},
        }
        for node, mine in by_node.items()
    ]
    per_path.sort(key=lambda row: -max(row["waits"]["seconds"], row["holds"]["seconds"]))
    held = sums["holds"]["seconds"] / duration_s if duration_s > 0 else None
    return {
        "name": name,
        **sums,
        "held_share": None if held is None else round(held, 4),
        "paths": per_path[:MOST_PATHS],
    }


def _sums(rows: list[Document]) -> Document:
    count, seconds = sum(row["count"] for row in rows), sum(row["seconds"] for row in rows)
    longest = [row["longest"] for row in rows if row["longest"] is not None]
    return {
        "count": count,
        "seconds": float(f"{seconds:.4g}"),
        "mean_s": float(f"{seconds / count:.4g}") if count else None,
        "max_s": float(f"{max(longest):.4g}") if longest else None,
    }


def _holders(context: Context, name: str) -> Document:
    """What others did at the looks at which threads waited for the lock: by function, and as shares by category."""
    ids = context.recording.sql("SELECT resource_id FROM resources WHERE name = ?", [name])["resource_id"]
    rows = context.busy
    waiting = (rows.category == LOCK) & np.isin(rows.resource, ids)
    if not waiting.any():
        return {"holders": [], "holders_did": None}
    others = rows.where(beside(context, waiting))
    sums = np.bincount(others.category, weights=others.weight_ns, minlength=len(CATEGORIES))
    total = float(sums.sum()) or 1.0
    did = {key: round(float(part) / total, 4) for key, part in zip(CATEGORIES, sums, strict=True) if part > 0}
    return {
        "holders": [
            {"function": one.function, "file": one.file, "line": one.line, "share": round(one.share, 4)}
            for one in functions(context.stacks, others)
        ],
        "holders_did": did or None,
    }


def merged_locks(runs: Iterable[list[Document]]) -> list[Document]:
    """`locks` of several runs: counts and times are added up, the rest is of the run with the longest waits."""
    by_name: dict[str, list[Document]] = defaultdict(list)
    for listed in runs:
        for row in listed:
            by_name[row["name"]].append(row)
    merged = []
    for rows in by_name.values():
        worst = max(rows, key=lambda row: float(row["waits"]["seconds"]))
        sums = {kind: _sums([{**row[kind], "longest": row[kind]["max_s"]} for row in rows]) for kind in KINDS.values()}
        merged.append({**worst, **sums})
    return merged
