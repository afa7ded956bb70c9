"""Which waits are waits for work: idle time is in no denominator.

A wait for work is called from the thread's loop. A loop frame is one that stays on the stack: between its first and
its last look it hardly ever goes and comes back. (The design says "in 95 % of the looks in which it is not waiting";
counting how often it comes back tells a loop from a function that is called again and again and does nearly all the
work, is not misled by the start-up phase before the loop was entered, and works for threads that hardly run.)
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from storeprof.analysis.looks import Looks
from storeprof.analysis.native_places import NativeDetail
from storeprof.analysis.stacks import Stacks

Array = np.ndarray[Any, Any]

WAITS_FOR_WORK = frozenset(
    {
        "queue-get", "condition", "event", "result", "join", "child", "pipe-read", "poll", "sleep",
        "network-receive", "network-accept",
    }
)  # fmt: skip
# Hand-offs in a function of the program's own queue: one that takes waits for work, one that puts waits for room.
TAKES = re.compile(
    r"(^|_)(get|take|pop|next|dequeue|poll|recv|receive|fetch|claim|consume|pull|drain|shift|await|accept|listen|work|task)"
    r"(_|\d|$)"
)
PUTS = re.compile(
    r"(^|_)(put|push|add|submit|enqueue|offer|send|emit|produce|publish|append|write|room|space|full)(_|\d|$)"
)
HAND_OFFS = frozenset({"queue-get", "condition", "event", "pipe-read", "network-receive"})
RETURNS_PER_LOOK = 0.003
NATIVE_IDLE_CPU = 0.02


def idle_looks(looks: Looks, stacks: Stacks, native: NativeDetail, cpu_share: Array) -> Array:
    """Mark the looks in which a thread waited for work.

    `cpu_share`: CPU time over lifetime per thread. Returns an array of bool, one per look. Waits inside a known
    operation always count.
    """
    candidate = np.isin(looks.reason, list(WAITS_FOR_WORK)) & (looks.op_seq == 0)
    idle = np.zeros(len(looks), dtype=bool)
    for thread in np.unique(looks.thread[candidate]).tolist():
        mine = np.flatnonzero((looks.thread == thread) & candidate)
        loops = _Loops(native.sampled_stacks(thread, looks), stacks)
        without_stack = bool(cpu_share[thread] < NATIVE_IDLE_CPU)
        verdicts: dict[tuple[int, str], bool] = {}
        for position in mine.tolist():
            key = (int(looks.stack[position]), str(looks.reason[position]))
            if key not in verdicts:
                blind = stacks.place(key[0]) is None
                # A shell or launcher: what the child does is in the child's own time.
                verdicts[key] = without_stack or key[1] == "child" if blind else loops.waits_for_work(*key)
            idle[position] = verdicts[key]
    return idle


class _Loops:
    """Which functions are loops of one thread, told from its stacks in order of time; each is asked once."""

    def __init__(self, stack_of: Array, stacks: Stacks) -> None:
        self._stack_of = stack_of
        self._stacks = stacks
        self._known: dict[int, bool] = {}

    def waits_for_work(self, stack: int, reason: str) -> bool:
        """Whether a wait was called from a loop, or by a function that takes work for a loop."""
        own = self._stacks.own_frames(stack)
        innermost = self._stacks.functions[own[0].function]
        if innermost.library and innermost.kind == "python":
            return True  # not one frame is the program's own: the loop is Python's (a pool's worker, a queue's feeder)
        if self._is_loop(own[0].function):
            return True
        if reason not in HAND_OFFS or not takes_work(self._stacks.functions[own[0].function].name):
            return False
        return len(own) == 1 or self._is_loop(own[1].function)  # without a caller of its own: the thread's entry is

    def _is_loop(self, function: int) -> bool:
        if function not in self._known:
            self._known[function] = is_loop_function(function, self._stack_of, self._stacks)
        return self._known[function]


def takes_work(name: str) -> bool:
    """Whether a function's name says that it takes from a queue (`WorkQueue.take`, `TaskQueue::pop`).

    Nothing else tells a consumer that waits for work from a producer that waits for room where both wait on a condition
    of the program's own. A name that says neither is not taken for idle.
    """
    verb = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.split(r"[.:]", name)[-1]).lower()
    return bool(TAKES.search(verb)) and not PUTS.search(verb)


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
