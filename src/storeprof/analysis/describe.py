"""From rows to what a person can open: lines, call paths and other functions, with their shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np

from storeprof.analysis.charges import Charges
from storeprof.analysis.finding import CallPath, Shared
from storeprof.analysis.grouping import distinct
from storeprof.analysis.stacks import Stacks

Key = TypeVar("Key", bound=Hashable)
MOST_LINES = 5
MOST_PATHS = 3
DEEPEST_PATH = 16
MOST_OF_IT = 0.6


def totals_by(keys: Iterable[Key], weights: Iterable[float]) -> list[tuple[Key, float]]:
    """Sum weights by key, largest first, as shares of all."""
    sums: dict[Key, float] = defaultdict(float)
    for key, weight in zip(keys, weights, strict=True):
        sums[key] += weight
    whole = sum(sums.values()) or 1.0
    return sorted(((key, value / whole) for key, value in sums.items()), key=lambda row: -row[1])


def _by_stack(rows: Charges) -> list[tuple[int, float]]:
    """Weight per stack."""
    stack, back = distinct(rows.stack)
    return list(zip(stack.tolist(), np.bincount(back, weights=rows.weight_ns).tolist(), strict=True))


def lines(stacks: Stacks, rows: Charges) -> tuple[Shared, ...]:
    """The source lines the rows stood at, within the functions they are charged to."""
    keyed = []
    for stack in rows.stack.tolist():
        place = stacks.place(stack)
        keyed.append((place.function, place.line) if place else None)
    result = []
    for key, share in totals_by(keyed, rows.weight_ns.tolist())[:MOST_LINES]:
        if key is not None and key[1] is not None:
            function = stacks.functions[key[0]]
            result.append(Shared(function.name, function.file, key[1], share))
    return tuple(result)


def call_paths(stacks: Stacks, rows: Charges) -> tuple[CallPath, ...]:
    """The commonest ways to the place, outermost function first, by function (lines of the commonest stack)."""
    by_path: dict[tuple[int, ...], list[tuple[int, float]]] = defaultdict(list)
    for stack, weight in totals_by(rows.stack.tolist(), rows.weight_ns.tolist()):
        if stack >= 0:
            frames = stacks.own_frames(stack)
            by_path[tuple(frame.function for frame in frames)].append((stack, weight))
    ranked = sorted(by_path.values(), key=lambda members: -sum(weight for _, weight in members))
    return tuple(_path(stacks, members) for members in ranked[:MOST_PATHS])


def _path(stacks: Stacks, members: list[tuple[int, float]]) -> CallPath:
    frames = stacks.own_frames(members[0][0])[:DEEPEST_PATH]
    spelled = tuple(
        (stacks.functions[frame.function].name, stacks.functions[frame.function].file, frame.line)
        for frame in reversed(frames)
    )
    return CallPath(spelled, sum(weight for _, weight in members))


def functions(stacks: Stacks, rows: Charges) -> tuple[Shared, ...]:
    """The functions the rows are charged to, largest share first."""
    by_stack = _by_stack(rows)
    keyed = [place.function if (place := stacks.place(stack)) else None for stack, _ in by_stack]
    result = []
    for key, share in totals_by(keyed, [weight for _, weight in by_stack])[:MOST_LINES]:
        if key is not None:
            function = stacks.functions[key]
            result.append(Shared(function.name, function.file, function.line, share))
    return tuple(result)


def top_callee(stacks: Stacks, rows: Charges) -> str | None:
    """The library or native function that makes up most of the rows, if one does."""
    keyed = [place.callee if (place := stacks.place(stack)) else -1 for stack in rows.stack.tolist()]
    ranked = totals_by(keyed, rows.weight_ns.tolist())
    if ranked and ranked[0][0] >= 0 and ranked[0][1] >= 0.5:
        return stacks.functions[ranked[0][0]].name
    return None


def effort_of(stacks: Stacks, rows: Charges) -> str:
    """Where the cost sits: in one function (local), in one file (module), or spread (design)."""
    ranked = functions(stacks, rows)
    if not ranked:
        return "design"
    if ranked[0].share >= 0.6:
        return "local"
    same_file = sum(row.share for row in ranked if row.file == ranked[0].file)
    return "module" if same_file >= 0.6 else "design"


def deepest_function(stacks: Stacks, rows: Charges) -> Shared | None:
    """The function deepest in the call tree that most of the rows are part of, itself or below it.

    Work that is spread over many small functions has its place where they are called from. None without such a one.
    """
    shares = _inclusive_shares(stacks, rows)
    found = [key for key, (share, _) in shares.items() if share >= MOST_OF_IT]
    return _shared(stacks, shares, max(found, key=lambda key: shares[key][1])) if found else None


def entry_function(stacks: Stacks, rows: Charges, ordinary: Charges, usual: float) -> Shared | None:
    """Where work begins that is not done ordinarily.

    The outermost function that most of the rows are part of, and less than `usual` of the ordinary rows.
    """
    shares, ordinarily = _inclusive_shares(stacks, rows), _inclusive_shares(stacks, ordinary)
    rare = [key for key, (share, _) in shares.items() if share >= MOST_OF_IT and ordinarily.get(key, (0, 0))[0] < usual]
    return _shared(stacks, shares, min(rare, key=lambda key: shares[key][1])) if rare else None


def _inclusive_shares(stacks: Stacks, rows: Charges) -> dict[int, tuple[float, float]]:
    """For each of the program's own functions its share of rows with a stack, calls included, and its mean depth."""
    inside: dict[int, float] = defaultdict(float)
    depth: dict[int, float] = defaultdict(float)
    placed = rows.where(rows.stack >= 0)
    whole = float(placed.weight_ns.sum()) or 1.0
    for stack, weight in _by_stack(placed):
        frames = stacks.own_frames(stack)
        for function, position in {frame.function: at for at, frame in enumerate(reversed(frames))}.items():
            inside[function] += weight
            depth[function] += weight * position
    return {function: (weight / whole, depth[function] / weight) for function, weight in inside.items() if weight > 0}


def _shared(stacks: Stacks, shares: dict[int, tuple[float, float]], key: int) -> Shared:
    function = stacks.functions[key]
    return Shared(function.name, function.file, function.line, shares[key][0])
