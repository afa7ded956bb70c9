"""Locks with those who wait for them and what the other threads did meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.beside import beside
from storeprof.analysis.accounting.charges import GIL, LOCK
from storeprof.analysis.context import Context
from storeprof.analysis.describe import sums_by
from storeprof.views.bins import Bins
from storeprof.views.wall import Awaited, operation_numbers, summed

Array = np.ndarray[Any, Any]

MOST_LOCKS, MOST_HOLDERS = 12, 24


@dataclass(frozen=True)
class Locks:
    """`listed`: what was waited for, and who did so (`waiters`), and what the others were at (`holders`, `holding`).

    Rows have the number of the lock, the bin, and a weight in ns; of waiters thread, operation and function charged; of
    the others one of function or thread. Functions are the recording's, -1 without a stack, or elsewhere.
    """

    listed: list[dict[str, Any]]
    waiters: dict[str, Array]
    holders: dict[str, Array]
    holding: dict[str, Array]


def locks(context: Context, bins: Bins, waits: Awaited) -> Locks:
    """The locks most waited for, the GIL among them; what has no name is known by the function that waits."""
    groups = _groups(context, waits)[:MOST_LOCKS]
    rows, operation = context.busy, operation_numbers(context.operations, context.busy)
    waiters, holders, holding = [], [], []
    for at, (_, mask) in enumerate(groups):
        waiting = np.zeros(len(rows), dtype=bool)
        waiting[mask] = True
        others = np.flatnonzero(beside(context, waiting))

        def table(picked: Array, at: int = at, **columns: Array) -> dict[str, Array]:
            fixed = {"lock": np.full(len(picked), at), "bin": bins.of(rows.t_ns[picked])}
            return summed(columns | fixed, rows.weight_ns[picked].astype(np.float64))

        function, thread = context.function[mask].astype(np.int64), rows.thread[mask].astype(np.int64)
        waiters.append(table(mask, thread=thread, operation=operation[mask], function=function + 1))
        holders.append(table(others, function=_largest(context, others) + 1))
        holding.append(table(others, thread=rows.thread[others].astype(np.int64)))
    listed = [listed for listed, _ in groups]
    return Locks(
        listed,
        _joined(waiters, "lock", "thread", "operation", "function"),
        _joined(holders, "lock", "function"),
        _joined(holding, "lock", "thread"),
    )


def _largest(context: Context, rows: Array) -> Array:
    """Function charged of each row (positions in busy wall), -1 for all but the largest few."""
    function = context.function[rows].astype(np.int64)
    kept = [one for one, _ in sums_by(function, context.busy.weight_ns[rows])[:MOST_HOLDERS]]
    return np.where(np.isin(function, kept), function, -1)


def _groups(context: Context, waits: Awaited) -> list[tuple[dict[str, Any], Array]]:
    """Each lock with the positions of the rows that wait for it, longest waits first."""
    rows = context.busy
    chosen = np.flatnonzero(np.isin(rows.category, (LOCK, GIL)))
    functions, processes = context.function[chosen], context.process[rows.thread[chosen]]
    several = len(np.unique(context.process)) > 1
    found: dict[tuple[Any, ...], tuple[dict[str, Any], list[int]]] = {}
    for position, category, process, resource, function, wait in zip(
        chosen.tolist(), rows.category[chosen].tolist(), processes.tolist(), rows.resource[chosen].tolist(),
        functions.tolist(), waits.of_row[chosen].tolist(), strict=True,
    ):  # fmt: skip
        if category == GIL:
            key, name = ("gil", process), "the GIL" + (f" of process {process + 1}" if several else "")
        elif resource >= 0:
            key, name = ("lock", resource), waits.listed[wait]["name"]
        else:
            key = ("place", function)
            name = f"a lock in {context.stacks.functions[function].name}" if function >= 0 else "a lock, place unknown"
        found.setdefault(key, ({"name": name, "kind": "gil" if category == GIL else "lock"}, []))[1].append(position)
    groups = [(listed, np.array(positions)) for listed, positions in found.values()]
    return sorted(groups, key=lambda group: -float(rows.weight_ns[group[1]].sum()))


def _joined(parts: list[dict[str, Array]], *names: str) -> dict[str, Array]:
    empty = np.zeros(0, dtype=np.int64)
    found = {name: np.concatenate([empty, *(part[name] for part in parts)]) for name in (*names, "bin", "weight")}
    return found | ({"function": found["function"] - 1} if "function" in names else {})
