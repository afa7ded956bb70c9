"""Which waits are waits for work: idle time is in no denominator.

A wait for work is called from the thread's loop. A loop frame is one that stays on the stack while the thread is not
waiting: between its first and its last look it hardly ever goes and comes back. (The design says "in 95 % of the looks
in which it is not waiting"; counting how often it comes back tells a loop from a function that is called again and
again and does nearly all the work, and is not misled by the start-up phase before the loop was entered.)
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
FEW_LOOKS = 5


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
    working = np.flatnonzero(~np.isin(looks.reason[mine], list(WAITS_FOR_WORK)) & (stack_of >= 0))
    verdicts: dict[int, bool] = {}
    idle = np.zeros(len(mine), dtype=bool)
    for position in np.flatnonzero(candidate):
        stack = int(stack_of[position])
        place = stacks.place(stack)
        if place is None:
            idle[position] = cpu_share < NATIVE_IDLE_CPU
            continue
        if place.function not in verdicts:
            verdicts[place.function] = is_loop_function(place.function, stack_of, working, stacks)
        idle[position] = verdicts[place.function]
    return idle


def is_loop_function(function: int, stack_of: Array, working: Array, stacks: Stacks) -> bool:
    """Whether a function stayed on the stack of one thread while that thread worked.

    `stack_of`: stack per look of the thread in order of time; `working`: positions of the looks in which it was not
    waiting for work.
    """
    contains = {stack: function in stacks.function_set(stack) for stack in np.unique(stack_of).tolist()}
    present = np.array([contains[stack] for stack in stack_of.tolist()])
    span = np.flatnonzero(present)
    if len(span) == 0:
        return False
    inside = working[(working >= span[0]) & (working <= span[-1])]
    if len(inside) < FEW_LOOKS:
        return True
    seen = present[inside]
    returns = int(np.count_nonzero(seen[1:] & ~seen[:-1]))
    return returns <= max(1.0, RETURNS_PER_LOOK * np.count_nonzero(seen)) and float(np.mean(seen)) > 0.5
