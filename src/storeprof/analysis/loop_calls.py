"""What a main loop or a thread's entry calls by itself: a library's work there is a cost, the loop's own code is none.

Small programs, and consumers above all, compress or parse right in their loop. Library code written in Python is on
the stack; native functions are told by perf's samples close to looks, line by line.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CPU
from storeprof.analysis.accounting.idle import WAITS_FOR_WORK
from storeprof.analysis.accounting.native_places import close_pairs, native_function
from storeprof.analysis.context import Context
from storeprof.analysis.describe import sums_by
from storeprof.analysis.entries import is_entry

Array = np.ndarray[Any, Any]

SPREAD = 0.3  # of the run, from the first tenth to the last of what is seen of a call
FEWEST, MOSTLY = 4, 0.7  # samples near looks at a line, and the part of them in one native function


def calls_of_loop(context: Context, key: int, least_ns: float) -> list[tuple[str, Array]]:
    """Library and native functions that a function (index) calls itself, with the rows of `context.busy` they take.

    Those of at least `least_ns` of CPU time, each a name and a mask, largest first.
    """
    busy = context.busy
    mine = np.flatnonzero((busy.category == CPU) & (context.function == key))
    _, line, callee = context.stacks.places(busy.stack[mine])
    waits_at, waits_in = _waits(context, key)
    found: dict[str, list[Array]] = {}
    for one, _ in sums_by(callee, busy.weight_ns[mine]):
        rows = mine[callee == one]
        if one < 0 or one in waits_in or context.stacks.functions[one].kind != "python":
            continue
        if is_entry(context, one, busy.where(rows)):
            continue  # an event loop of the library's is no call
        found.setdefault(context.stacks.functions[one].name, []).append(rows)
    plain = callee < 0
    if float(busy.weight_ns[mine[plain]].sum()) >= least_ns:
        for at, name in _native_lines(context, key).items():
            if at in waits_at:
                continue
            found.setdefault(name, []).append(mine[plain & (line == at)])
    joined = [(name, np.concatenate(rows)) for name, rows in found.items()]
    calls = [(name, rows) for name, rows in joined if _goes_on(context, rows)]
    weighed = [(float(busy.weight_ns[rows].sum()), name, rows) for name, rows in calls]
    return [
        (name, _mask(len(busy), rows)) for weight, name, rows in sorted(weighed, key=_heaviest) if weight >= least_ns
    ]


def _waits(context: Context, key: int) -> tuple[set[int], set[int]]:
    """Lines at which a loop waits for work, and library functions it does so in: getting work is no work."""
    looks = context.looks
    waiting = np.flatnonzero(looks.because(*WAITS_FOR_WORK))
    function, line, callee = context.stacks.places(looks.stack[waiting])
    mine = function == key
    return set(line[mine & (callee < 0)].tolist()), set(callee[mine & (callee >= 0)].tolist())


def _goes_on(context: Context, rows: Array) -> bool:
    """Whether rows of busy wall come again through the run: imports and other beginnings do not."""
    start, end = context.recording.window
    early, late = np.quantile(context.busy.t_ns[rows], (0.1, 0.9))
    return bool(late - early >= SPREAD * (end - start))


def _heaviest(row: tuple[float, str, Array]) -> tuple[float, str]:
    return -row[0], row[1]


def _mask(size: int, rows: Array) -> Array:
    mask = np.zeros(size, dtype=bool)
    mask[rows] = True
    return mask


def _native_lines(context: Context, key: int) -> dict[int, str]:
    """Lines of a function at which it mostly is in one native function, with the name of that."""
    look, sample = close_pairs(context.looks, context.native)
    function, line, callee = context.stacks.places(context.looks.stack[look])
    mine = np.flatnonzero((function == key) & (callee < 0))
    near = context.native.cpu_stack[sample[mine]]
    stacks, which = np.unique(near, return_inverse=True)
    names = [native_function(context.stacks, stack) for stack in stacks.tolist()]
    found: dict[int, str] = {}
    for at in np.unique(line[mine]).tolist():
        seen = [names[one] for one in which[line[mine] == at].tolist()]
        top = max(set(seen), key=lambda name: (seen.count(name), name or ""))
        if top is not None and len(seen) >= FEWEST and seen.count(top) >= MOSTLY * len(seen):
            found[at] = top
    return found
