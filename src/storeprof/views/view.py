"""The view of one recording: everything its page draws, narrowed by span, operation or thread without asking back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CATEGORIES
from storeprof.analysis.accounting.looks import index_of
from storeprof.analysis.context import Context
from storeprof.views.allocated import UNIT_BYTES, allocated, operation_of_nodes
from storeprof.views.bins import MOST_BINS, Bins, bins_of
from storeprof.views.calls import CallTree, Folded, describe_function
from storeprof.views.hosted import operations_of_rows
from storeprof.views.locks import Locks, locks
from storeprof.views.native_below import native_below
from storeprof.views.over_time import done, latencies, memory, memory_tags
from storeprof.views.tails import operation_tails, spreads
from storeprof.views.wall import awaited, in_units, presence, unit_of, wall_rows

Array = np.ndarray[Any, Any]
Table = dict[str, Array]

FORMAT = 1
MOST_ROWS = 300_000
MOST_NODES = 24_000
FEWEST_BINS, FEWEST_NODES = 60, 100


@dataclass(frozen=True)
class View:
    """`header`: names and units, as JSON; `tables`: columns of one length each (docs/formats/page.md)."""

    header: dict[str, Any]
    tables: dict[str, Table]


def view_of(context: Context, most_rows: int = MOST_ROWS) -> View:
    """Prepare the view of a recording.

    `most_rows`: where the table of wall time would be longer, bins get longer, then the rarest calling contexts become
    part of their callers; `folded_share` of the header says how much of the time that moved.
    """
    calls = CallTree(context.stacks)
    busy_node, allocation_node = calls.nodes(context.busy.stack), calls.nodes(context.allocations.stack)
    weights = _weights(context, len(calls.parent), busy_node, allocation_node)
    waits, (operation, unhosted_s) = awaited(context, context.busy), operations_of_rows(context)
    most_bins, most_nodes = MOST_BINS, MOST_NODES
    while True:
        bins, tree = bins_of(context.recording, most_bins), calls.folded(weights, most_nodes)
        wall = wall_rows(context, bins, operation, tree.becomes[busy_node], waits)
        if len(wall["weight"]) <= most_rows or most_nodes < FEWEST_NODES:
            break
        most_bins, most_nodes = (
            (most_bins // 2, most_nodes) if most_bins >= 2 * FEWEST_BINS else (most_bins, most_nodes // 2)
        )
    by_operation = operation_of_nodes(tree, tree.becomes[busy_node], operation, context.busy.weight_ns)
    held, unit = locks(context, bins, waits), unit_of(wall["weight"])
    functions, number, native = _functions(context, tree, held)
    tables: dict[str, Table] = {
        "nodes": {"parent": np.maximum(tree.parent, 0), "function": number[tree.function]},
        "wall": in_units(wall, unit),
        "presence": {"permille": np.rint(presence(context, bins) * 1000).ravel()},
        "waiters": in_units(held.waiters | {"function": number[held.waiters["function"]]}, unit),
        "holders": in_units(held.holders | {"function": number[held.holders["function"]]}, unit),
        "holding": in_units(held.holding, unit),
        "done": done(context, bins),
        "allocations": allocated(context, bins, tree.becomes[allocation_node], by_operation),
    }
    tables["latency"], buckets = latencies(context, bins)
    tails, parts = operation_tails(context, bins, buckets)
    tables["tails"] = in_units(tails, unit_of(tails["weight"]))
    tables["memory"], processes = memory(context, bins)
    tables["tags"], tags = memory_tags(context, bins)
    moved = float(context.busy.weight_ns[~tree.stays[busy_node]].sum(dtype=np.float64))
    names = {
        "unit_ns": unit,
        "operations": list(context.operations.names),
        "threads": _threads(context),
        "processes": processes,
        "functions": functions,
        "native": native,
        "waits": waits.listed,
        "locks": held.listed,
        "tags": tags,
        "buckets_ns": buckets,
        "tail_parts": parts,
        "tail_spread_ns": spreads(context),
        "unhosted_s": round(unhosted_s, 3),
        "folded_share": moved / max(float(context.busy.weight_ns.sum(dtype=np.float64)), 1.0),
    }
    return View(_measures(context, bins) | names, tables)


def _measures(context: Context, bins: Bins) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "folder": context.recording.folder.name,
        "duration_s": round(context.recording.duration_s, 3),
        "bins": bins.count,
        "bin_ns": bins.length_ns,
        "unit_bytes": UNIT_BYTES,
        "categories": list(CATEGORIES),
    }


def _weights(context: Context, nodes: int, busy_node: Array, allocation_node: Array) -> Array:
    """What each node is worth: its share of busy wall plus its share of the sampled bytes."""
    total = np.zeros(nodes)
    for node, weight in ((busy_node, context.busy.weight_ns), (allocation_node, context.allocations.weight_bytes)):
        sums = np.bincount(node, weights=weight, minlength=nodes)
        total += sums / max(float(sums.sum()), 1.0)
    return total


def _functions(context: Context, tree: Folded, held: Locks) -> tuple[list[list[Any]], Array, list[dict[str, Any]]]:
    """The functions that the page names, the number among them of each of the recording's (-1: none), and `native`."""
    native = native_below(context)
    used = set(tree.function[1:].tolist())
    native = [row for row in native if row["function"] in used]
    used |= {function for row in native for _, path in row["paths"] for function in path}
    used |= {*held.waiters["function"].tolist(), *held.holders["function"].tolist()}
    kept = sorted(used - {-1})
    number = np.full(len(context.stacks.functions) + 1, -1, dtype=np.int64)  # the last element is that of none
    number[kept] = np.arange(len(kept))
    renamed = [
        {
            "function": int(number[row["function"]]),
            "paths": [[share, number[path].tolist()] for share, path in row["paths"]],
        }
        for row in native
    ]
    return [describe_function(context.stacks.functions[one]) for one in kept], number, renamed


def _threads(context: Context) -> list[dict[str, Any]]:
    """Threads in the order of their numbers: name, tid and pid."""
    rows = context.recording.sql(
        "SELECT thread_id, t.name, tid, pid FROM threads t LEFT JOIN processes USING (proc_id)"
    )
    at = index_of(context.looks.thread_ids, rows["thread_id"])
    columns = (np.ma.asarray(rows[name]).tolist() for name in ("name", "tid", "pid"))
    named = {
        place: dict(zip(("name", "tid", "pid"), row, strict=True))
        for place, *row in zip(at.tolist(), *columns, strict=True)
    }
    return [
        named.get(thread, {"name": None, "tid": None, "pid": None}) for thread in range(len(context.looks.thread_ids))
    ]
