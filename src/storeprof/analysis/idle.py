"""Which waits are waits for work: idle time is in no denominator.

A wait for work is called from the thread's loop. A loop frame is one that stays on the stack: between its first and
its last look it hardly ever goes and comes back. (The design says "in 95 % of the looks in which it is not waiting";
counting how often it comes back tells a loop from a function that is called again and again and does nearly all the
work, is not misled by the start-up phase before the loop was entered, and works for threads that hardly run.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.looks import Looks
from storeprof.analysis.stacks import Stacks

Array = np.ndarray[Any, Any]

WAITS_FOR_WORK = frozenset(
    {
        "queue-get", "condition", "event", "result", "join", "child", "pipe-read", "poll", "sleep",
        "network-receive", "network-accept",
    }
)  # fmt: skip
RETURNS_PER_LOOK = 0.003
NATIVE_IDLE_CPU = 0.02


def idle_looks(looks: Looks, stacks: Stacks, cpu_share: Array) -> Array:
    """Mark the looks in which a thread waited for work.

    `cpu_share`: CPU time over lifetime per thread. Returns an array of bool, one per look. Waits inside a known
    operation always count.
    """
    candidate = np.isin(looks.reason, list(WAITS_FOR_WORK)) & (looks.op_seq == 0)
    idle = np.zeros(len(looks), dtype=bool)
    for thread in np.unique(looks.thread[candidate]):
        mine = np.flatnonzero(looks.thread == thread)
        idle[mine] = _idle_of_thread(looks, stacks, mine, candidate[mine], float(cpu_share[thread]))
    return idle


def _idle_of_thread(looks: Looks, stacks: Stacks, mine: Array, candidate: Array, cpu_share: float) -> Array:
    stack_of = looks.stack[mine]
    verdicts: dict[int, bool] = {}
    idle = np.zeros(len(mine), dtype=bool)
    for position in np.flatnonzero(candidate):
        place = stacks.place(int(stack_of[position]))
        if place is None:
            idle[position] = cpu_share < NATIVE_IDLE_CPU
            continue
        if place.function not in verdicts:
            verdicts[place.function] = is_loop_function(place.function, stack_of, stacks)
        idle[position] = verdicts[place.function]
    return idle


def is_loop_function(function: int, stack_of: Array, stacks: Stacks) -> bool:
    """Whether a function, once entered, stayed on the stack of one thread.

    `stack_of`: stack per look of the thread in order of time, -1 without one.
    """
    seen = presence(function, stack_of, stacks)
    inside = np.flatnonzero(seen)
    if len(inside) == 0:
        return False
    span = seen[inside[0] : inside[-1] + 1]
    returns = int(np.count_nonzero(span[1:] & ~span[:-1]))
    return returns <= max(1.0, RETURNS_PER_LOOK * len(inside))


def presence(function: int, stack_of: Array, stacks: Stacks) -> Array:
    """Whether a function is on the stack, for each look that has one (an array of bool)."""
    known = stack_of[stack_of >= 0]
    contains = {stack: function in stacks.function_set(stack) for stack in np.unique(known).tolist()}
    found: Array = np.array([contains[stack] for stack in known.tolist()], dtype=bool)
    return found
