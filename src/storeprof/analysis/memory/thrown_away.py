"""What one function allocates and its caller frees: one cost in two places, as of a container returned by value."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CPU
from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.context import Context
from storeprof.analysis.memory.allocation_work import is_allocator

Array = np.ndarray[Any, Any]

_FREES = re.compile(r"^(?:_int_|__libc_)?(?:c?free)$|^operator delete|^(?:je|tc|mi)_(?:s?d?free|sdallocx|dallocx)")
NEARLY_ALL = 0.8  # of the function's time is spent below this caller
MOSTLY = 0.5  # of the caller's own time frees
HARDLY = 0.2  # of what it frees it makes itself
NEITHER, MAKES, FREES = 0, 1, 2


@dataclass(frozen=True)
class ThrownAway:
    """The caller (function index) and its rows of `context.busy` that free, as a mask."""

    caller: int
    rows: Array


def thrown_away(context: Context, function: int, mask: Array) -> ThrownAway | None:
    """Rows in which the caller of a native function does little but free; `mask`: the function's own rows."""
    stacks, busy = context.stacks, context.busy
    if stacks.functions[function].kind != "native":
        return None
    caller = _caller(stacks, function, busy.stack[mask], busy.weight_ns[mask])
    if caller is None or stacks.functions[caller].kind != "native":
        return None
    theirs = np.flatnonzero((busy.category == CPU) & (context.function == caller))
    distinct, which = np.unique(busy.stack[theirs], return_inverse=True)
    doing = np.array([_doing(stacks, caller, one) for one in distinct.tolist()], dtype=np.int8)[which]
    neither, makes, frees = np.bincount(doing, weights=busy.weight_ns[theirs], minlength=3).tolist()
    if frees < MOSTLY * (neither + makes + frees) or makes > HARDLY * frees or frees == 0:
        return None
    rows = np.zeros(len(mask), dtype=bool)
    rows[theirs[doing == FREES]] = True
    return ThrownAway(caller, rows)


def _caller(stacks: Stacks, function: int, stack: Array, weight: Array) -> int | None:
    """The function of the program that calls it nearly always."""
    sums: dict[int, float] = defaultdict(float)
    distinct, which = np.unique(stack, return_inverse=True)
    for one, size in zip(distinct.tolist(), np.bincount(which, weights=weight).tolist(), strict=True):
        own = stacks.own_frames(one) if one >= 0 else ()
        above = [frame.function for frame in own[1:]] if own and own[0].function == function else []
        sums[above[0] if above else -1] += size
    caller = max(sums, key=lambda key: sums[key], default=-1)
    return caller if caller not in (-1, function) and sums[caller] >= NEARLY_ALL * sum(sums.values()) else None


def _doing(stacks: Stacks, caller: int, stack: int) -> int:
    """What the outermost allocator's frame below the caller does."""
    found = NEITHER
    for frame in stacks.frames(stack) if stack >= 0 else ():
        if frame.function == caller:
            break
        name = stacks.functions[frame.function].name
        found = FREES if _FREES.match(name) else MAKES if is_allocator(name) else found
    return found
