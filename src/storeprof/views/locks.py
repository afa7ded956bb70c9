"""Locks with those who wait for them and what the other threads did meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.beside import beside
from storeprof.analysis.charges import GIL, LOCK
from storeprof.analysis.context import Context
from storeprof.views.bins import Bins
from storeprof.views.wall import UNIT_NS, Awaited, operation_numbers, summed

Array = np.ndarray[Any, Any]

MOST_LOCKS = 12


@dataclass(frozen=True)
class Locks:
    """`listed`: what was waited for; `waiters`, `holders`: rows of lock, bin, thread, operation or node, and weight."""

    listed: list[dict[str, Any]]
    waiters: dict[str, Array]
    holders: dict[str, Array]


def locks(context: Context, bins: Bins, node: Array, waits: Awaited) -> Locks:
    """The locks most waited for, the GIL among them; what has no name is known by the function that waits."""
    groups = _groups(context, waits)[:MOST_LOCKS]
    rows, operation = context.busy, operation_numbers(context.operations, context.busy)
    parts: dict[str, list[dict[str, Array]]] = {"waiters": [], "holders": []}
    for at, (_, mask) in enumerate(groups):
        for side, picked in (
            ("waiters", mask),
            ("holders", np.flatnonzero(beside(context, _as_mask(mask, len(rows))))),
        ):
            parts[side].append(
                summed(
                    {
                        "lock": np.full(len(picked), at),
                        "thread": rows.thread[picked].astype(np.int64),
                        "operation": operation[picked],
                        "node": node[picked],
                        "bin": bins.of(rows.t_ns[picked]),
                    },
                    rows.weight_ns[picked].astype(np.float64) / UNIT_NS,
                )
            )
    return Locks([listed for listed, _ in groups], _joined(parts["waiters"]), _joined(parts["holders"]))


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


def _as_mask(positions: Array, length: int) -> Array:
    mask = np.zeros(length, dtype=bool)
    mask[positions] = True
    return mask


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    names = ("lock", "thread", "operation", "node", "bin", "weight")
    empty = np.zeros(0, dtype=np.int64)
    found = {name: np.concatenate([part[name] for part in parts] or [empty]) for name in names}
    kept = np.rint(found["weight"]) > 0
    return {name: np.rint(values[kept]) for name, values in found.items()}
