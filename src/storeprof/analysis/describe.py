"""From rows to what a person can open: lines, call paths and other functions, with their shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Any, Protocol, TypeVar

import numpy as np

from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.finding import CallPath, Shared

Array = np.ndarray[Any, Any]
Key = TypeVar("Key", bound=Hashable)
MOST_LINES = 5
MOST_PATHS = 3
DEEPEST_PATH = 16
MOST_OF_IT = 0.6


class Weighed(Protocol):
    """Rows with a stack and a weight each: time (ns), or bytes."""

    @property
    def stack(self) -> Array:
        """Stack of each row; -1 without one."""
        ...

    @property
    def weight_ns(self) -> Array:
        """What each row stands for."""
        ...


def totals_by(keys: Iterable[Key], weights: Iterable[float]) -> list[tuple[Key, float]]:
    """Sum weights by key, largest first, as shares of all. For many rows by a number: `sums_by`."""
    sums: dict[Key, float] = defaultdict(float)
    for key, weight in zip(keys, weights, strict=True):
        sums[key] += weight
    whole = sum(sums.values()) or 1.0
    return sorted(((key, value / whole) for key, value in sums.items()), key=lambda row: -row[1])


def sums_by(keys: Array, weights: Array) -> list[tuple[int, float]]:
    """Sum weights by key (whole numbers from -2 on, up to some millions), largest first, as shares of all."""
    if len(keys) == 0:
        return []
    sums = np.bincount(keys + 2, weights=weights)
    found = np.flatnonzero(sums)
    ranked = found[np.argsort(-sums[found], kind="stable")]
    return list(zip((ranked - 2).tolist(), (sums[ranked] / (sums.sum() or 1.0)).tolist(), strict=True))


def by_stack(rows: Weighed) -> tuple[Array, Array]:
    """The distinct stacks of the rows (-1 where there is none) and the weight of each."""
    sums = np.bincount(rows.stack + 1, weights=rows.weight_ns)
    found = np.flatnonzero(sums)
    return found - 1, sums[found]


def lines(stacks: Stacks, rows: Weighed) -> tuple[Shared, ...]:
    """The source lines the rows stood at, within the functions they are charged to."""
    stack, weight = by_stack(rows)
    function, line, _ = stacks.places(stack)
    result = []
    for (key, at), share in totals_by(zip(function.tolist(), line.tolist(), strict=True), weight.tolist())[:MOST_LINES]:
        if key >= 0 and at >= 0:
            result.append(Shared(stacks.functions[key].name, stacks.functions[key].file, at, share))
    return tuple(result)


def call_paths(stacks: Stacks, rows: Weighed) -> tuple[CallPath, ...]:
    """The commonest ways to the place, outermost function first, by function (lines of the commonest stack)."""
    by_path: dict[tuple[int, ...], list[tuple[int, float]]] = defaultdict(list)
    for stack, weight in sums_by(rows.stack, rows.weight_ns):
        if stack >= 0:
            frames = stacks.own_frames(stack)
            by_path[tuple(frame.function for frame in frames)].append((stack, weight))
    ranked = sorted(by_path.values(), key=lambda members: -sum(weight for _, weight in members))
    return tuple(_path(stacks, members) for members in ranked[:MOST_PATHS])


def _path(stacks: Stacks, members: list[tuple[int, float]]) -> CallPath:
    own = stacks.own_frames(members[0][0])
    frames = [frame for at, frame in enumerate(own) if at == 0 or frame.function != own[at - 1].function][:DEEPEST_PATH]
    spelled = tuple(
        (stacks.functions[frame.function].name, stacks.functions[frame.function].file, frame.line)
        for frame in reversed(frames)
    )
    return CallPath(spelled, sum(weight for _, weight in members))


def functions(stacks: Stacks, rows: Weighed) -> tuple[Shared, ...]:
    """The functions the rows are charged to, largest share first."""
    stack, weight = by_stack(rows)
    result = []
    for key, share in sums_by(stacks.place_functions(stack), weight)[:MOST_LINES]:
        if key >= 0:
            function = stacks.functions[key]
            result.append(Shared(function.name, function.file, function.line, share))
    return tuple(result)


def top_callee(stacks: Stacks, rows: Weighed) -> str | None:
    """The library or native function that makes up most of the rows, if one does."""
    stack, weight = by_stack(rows)
    ranked = sums_by(stacks.places(stack)[2], weight)
    if ranked and ranked[0][0] >= 0 and ranked[0][1] >= 0.5:
        return stacks.functions[ranked[0][0]].name
    return None


def effort_of(stacks: Stacks, rows: Weighed) -> str:
    """Where the cost sits: in one function (local), in one file (module), or spread (design)."""
    ranked = functions(stacks, rows)
    if not ranked:
        return "design"
    if ranked[0].share >= 0.6:
        return "local"
    same_file = sum(row.share for row in ranked if row.file == ranked[0].file)
    return "module" if same_file >= 0.6 else "design"


def deepest_function(stacks: Stacks, rows: Weighed) -> Shared | None:
    """The function deepest in the call tree that most of the rows are part of, itself or below it.

    Work that is spread over many small functions has its place where they are called from. None without such a one.
    """
    shares = _inclusive_shares(stacks, rows)
    found = [key for key, (share, _) in shares.items() if share >= MOST_OF_IT]
    return _shared(stacks, shares, max(found, key=lambda key: shares[key][1])) if found else None


def entry_function(stacks: Stacks, rows: Weighed, ordinary: Weighed, usual: float) -> Shared | None:
    """Where work begins that is not done ordinarily.

    The outermost function that most of the rows are part of, and less than `usual` of the ordinary rows.
    """
    shares, ordinarily = _inclusive_shares(stacks, rows), _inclusive_shares(stacks, ordinary)
    rare = [key for key, (share, _) in shares.items() if share >= MOST_OF_IT and ordinarily.get(key, (0, 0))[0] < usual]
    return _shared(stacks, shares, min(rare, key=lambda key: shares[key][1])) if rare else None


def _inclusive_shares(stacks: Stacks, rows: Weighed) -> dict[int, tuple[float, float]]:
    """For each of the program's own functions its share of rows with a stack, calls included, and its mean depth."""
    inside: dict[int, float] = defaultdict(float)
    depth: dict[int, float] = defaultdict(float)
    stack_ids, weights = by_stack(rows)
    stack_ids, weights = stack_ids[stack_ids >= 0], weights[stack_ids >= 0]
    whole = float(weights.sum()) or 1.0
    for stack, weight in zip(stack_ids.tolist(), weights.tolist(), strict=True):
        frames = stacks.own_frames(stack)
        for function, position in {frame.function: at for at, frame in enumerate(reversed(frames))}.items():
            inside[function] += weight
            depth[function] += weight * position
    return {function: (weight / whole, depth[function] / weight) for function, weight in inside.items() if weight > 0}


def _shared(stacks: Stacks, shares: dict[int, tuple[float, float]], key: int) -> Shared:
    function = stacks.functions[key]
    return Shared(function.name, function.file, function.line, shares[key][0])
