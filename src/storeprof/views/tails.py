"""What the looks inside operations saw, with how long each operation took: the tail of any span divides by it."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import CATEGORIES, OTHER
from storeprof.analysis.context import Context
from storeprof.analysis.tail.causes import Tail
from storeprof.views.bins import Bins
from storeprof.views.wall import summed

Array = np.ndarray[Any, Any]

MOST_ROWS = 20_000  # of usual operations, and as many of others
SMALLEST = 0.005  # of an operation's time: smaller parts belong to the rest
USUAL = 0.9  # operations below this percentile are thinned apart from those above, which have most of the looks
REST = 0


def operation_tails(
    context: Context, bins: Bins, buckets_ns: list[list[float]]
) -> tuple[dict[str, Array], list[dict[str, Any]]]:
    """Table `tails`, one row per operation looked at, part and bin; and the parts, of which number 0 is the rest.

    `took` is the bucket that the operation's length lies in, `number` tells operations apart, `weight` is in ns.
    """
    parts: list[dict[str, Any]] = [{"operation": 0, "component": CATEGORIES[OTHER], "function": None, "resource": None}]
    names = ("operation", "part", "bin", "took", "number")
    columns: dict[str, list[Array]] = {name: [] for name in (*names, "weight")}
    for tail in context.tails:
        operation = 1 + context.operations.names.index(tail.operation.name)
        known = np.flatnonzero(~np.isnan(tail.looks.duration_s))
        if not len(known) or not len(tail.operation.latency.count):
            continue
        rows, duration = tail.looks.rows.where(known), tail.looks.duration_s[known]
        part = _parts(context, operation, tail, parts)[tail.component[known]]
        number, took = tail.looks.number[known], _buckets(duration, buckets_ns)
        usual = duration < tail.operation.latency.edges(USUAL)[0]
        weight = rows.weight_ns
        for group in (usual, ~usual):
            weight = thinned(number, group, weight, MOST_ROWS // len(context.tails))
        found = (np.full(len(known), operation), part, bins.of(rows.t_ns), took, number, weight)
        for name, values in zip(columns, found, strict=True):
            columns[name].append(values)
    joined = {name: np.concatenate(values) if values else np.zeros(0) for name, values in columns.items()}
    weight = joined.pop("weight")
    kept = weight > 0
    joined["number"] = np.unique(joined["number"], return_inverse=True)[1]
    return summed({name: values[kept].astype(np.int64) for name, values in joined.items()}, weight[kept]), parts


def spreads(context: Context) -> list[float]:
    """Per operation, in ns: how far its length may be off by what a look added to it."""
    names, costs = context.operation_looks.names, context.operation_looks.look_costs
    known = dict(zip(names, costs, strict=False))
    return [round(1e9 * known[name].spread_s) if name in known else 0 for name in context.operations.names]


def _parts(context: Context, operation: int, tail: Tail, parts: list[dict[str, Any]]) -> Array:
    """For each component of a tail its number among the parts, to which new ones are added."""
    causes = {cause.number: cause for cause in tail.causes}
    weight = np.bincount(tail.component, weights=tail.looks.rows.weight_ns, minlength=len(tail.category))
    numbers = np.full(len(tail.category), REST, dtype=np.int64)
    for one, category in enumerate(tail.category.tolist()):
        if category == OTHER or (one not in causes and weight[one] < SMALLEST * weight.sum()):
            continue
        if one in causes:
            function, resource = causes[one].part.place.function, causes[one].resource
        else:
            places = describe.functions(context.stacks, tail.looks.rows.where(tail.component == one))
            function, resource = places[0].function if places else None, None
        numbers[one] = len(parts)
        row = {"component": CATEGORIES[category], "function": function, "resource": resource}
        parts.append({"operation": operation, **row})
    return numbers


def _buckets(duration_s: Array, buckets_ns: list[list[float]]) -> Array:
    lows = np.array([low for low, _ in buckets_ns])
    found: Array = np.maximum(np.searchsorted(lows, duration_s * 1e9, side="right") - 1, 0)
    return found


def thinned(number: Array, group: Array, weight_ns: Array, most: int) -> Array:
    """Weights in which every k-th operation of a group stands for k, so that `most` of their rows or so are left.

    `number` tells operations apart; those outside the group stay as they are.
    """
    every = int(group.sum()) // max(most, 1) + 1
    which = np.unique(number[group], return_inverse=True)[1]
    left: Array = weight_ns.astype(np.float64)
    left[group] *= np.where(which % every == 0, every, 0)
    return left
