"""What native code ran below Python functions, so that one flame graph shows both.

perf's samples and looks are never paired one by one (analysis/native_places.py): samples within 0.2 ms of a look
estimate, for each Python function at the leaf, how its own CPU time divides among native call paths.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from storeprof.analysis.accounting.native_places import FEWEST_PAIRS, close_pairs
from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.context import Context

FEWEST_SEEN = 2
MOST_PATHS = 24
DEEPEST = 16


def native_below(context: Context) -> list[dict[str, Any]]:
    """Per Python function `paths` of `[share, [functions, outermost first]]`; the rest is the interpreter's own.

    Functions are indices of the recording's. Empty without perf, and for functions with fewer than ten samples.
    """
    stacks = context.stacks
    looks, samples = close_pairs(context.looks, context.native)
    counted: dict[int, Counter[tuple[int, ...]]] = defaultdict(Counter)
    for stack, sampled in zip(
        context.looks.stack[looks].tolist(), context.native.cpu_stack[samples].tolist(), strict=True
    ):
        frames = stacks.frames(stack)
        if frames and stacks.functions[frames[0].function].kind == "python":
            counted[frames[0].function][_native_path(stacks, sampled)] += 1
    usual = _by_entry(sum(counted.values(), Counter()))
    return [
        {"function": function, "paths": _shares(paths, usual)}
        for function, paths in counted.items()
        if paths.total() >= FEWEST_PAIRS
    ]


def _shares(paths: Counter[tuple[int, ...]], usual: dict[int, float]) -> list[list[Any]]:
    """Paths with their shares. One whose entry is rarer below this function than below any is chance: a neighbour's."""
    total, here = paths.total(), _by_entry(paths)
    ranked = [(path, count) for path, count in paths.most_common(MOST_PATHS) if path and count >= FEWEST_SEEN]
    return [[round(count / total, 4), list(path)] for path, count in ranked if here[path[0]] >= usual[path[0]]]


def _by_entry(paths: Counter[tuple[int, ...]]) -> dict[int, float]:
    """Share of all samples, by the native function that the interpreter had called."""
    found: Counter[int] = Counter()
    for path, count in paths.items():
        if path:
            found[path[0]] += count
    return {entry: count / paths.total() for entry, count in found.items()}


def _native_path(stacks: Stacks, stack: int) -> tuple[int, ...]:
    """Frames that the interpreter had called, outermost first; empty while it was in its own code."""
    path = []
    for frame in stacks.frames(stack):
        function = stacks.functions[frame.function]
        binary = (function.binary or "").rsplit("/", 1)[-1]
        if binary.startswith(("libpython", "python")):
            break
        if not binary.startswith("_allocation_hook"):
            path.append(frame.function)
    else:
        return ()  # never came from the interpreter: says nothing of a Python function
    return tuple(reversed(path))[:DEEPEST]
