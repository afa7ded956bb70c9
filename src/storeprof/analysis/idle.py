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

WAITS_FOR_WORK = (
    "queue-get", "condition", "event", "result", "join", "child", "pipe-read", "poll", "sleep", "network-receive",
    "network-accept",
)  # fmt: skip
RETURNS_PER_LOOK = 0.003
NATIVE_IDLE_CPU = 0.02


def idle_looks(looks: Looks, stacks: Stacks, cpu_share: Array) -> Array:
    """Mark the looks in which a thread waited for work.

    `cpu_share`: CPU time over lifetime per thread. Returns an array of bool, one per look. Waits inside a known
    operation always count.
    """
    candidate = looks.because(*WAITS_FOR_WORK) & (looks.op_seq == 0)
    idle = np.zeros(len(looks), dtype=bool)
    for thread in np.unique(looks.thread[candidate]).tolist():
        mine = looks.of_thread(thread)
        at = np.flatnonzero(candidate[mine])
        place = stacks.place_functions(looks.stack[mine][at])
        history = History(looks.stack[mine], stacks)
        loops = [function for function in np.unique(place[place >= 0]).tolist() if history.is_loop(function)]
        idle[mine.start + at] = np.isin(place, loops) | ((place < 0) & (cpu_share[thread] < NATIVE_IDLE_CPU))
    return idle


class History:
    """The stacks of one thread in order of time, summed up so that many functions can be asked for.

    `stack`: stack per look, -1 without one; looks without one are left out.
    """

    def __init__(self, stack: Array, stacks: Stacks) -> None:
        known = stack[stack >= 0]
        self._stacks = stacks
        self._looks = len(known)
        changes = np.flatnonzero(known[1:] != known[:-1])
        self._visits = known[np.concatenate([[0], changes + 1])] if len(known) else known
        self._began = np.concatenate([[0], changes + 1]) if len(known) else changes
        self._ended = np.concatenate([changes, [len(known) - 1]]) if len(known) else changes

    def span(self, function: int) -> float:
        """Part of the looks that lie between the first and the last with the function on the stack; 0 without any."""
        inside = np.flatnonzero(self._presence(function))
        if len(inside) == 0:
            return 0.0
        return float(self._ended[inside[-1]] - self._began[inside[0]] + 1) / self._looks

    def is_loop(self, function: int) -> bool:
        """Whether a function, once entered, stayed on the stack."""
        present = self._presence(function)
        if not present.any():
            return False
        entries = int(present[0]) + int(np.count_nonzero(present[1:] & ~present[:-1]))
        looks_inside = float((self._ended - self._began + 1)[present].sum())
        return entries - 1 <= max(1.0, RETURNS_PER_LOOK * looks_inside)

    def _presence(self, function: int) -> Array:
        return self._stacks.having(function, self._visits)
