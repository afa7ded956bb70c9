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

from storeprof.analysis.accounting.looks import Looks
from storeprof.analysis.accounting.native_places import NativeDetail
from storeprof.analysis.accounting.stacks import Stacks

Array = np.ndarray[Any, Any]

WAITS_FOR_WORK = (
    "queue-get", "condition", "event", "result", "join", "child", "pipe-read", "poll", "sleep", "network-receive",
    "network-accept",
)  # fmt: skip
# Hand-offs in a function of the program's own queue: one that takes waits for work, one that puts waits for room.
TAKES = re.compile(
    r"(^|_)(get|take|pop|next|dequeue|poll|recv|receive|fetch|claim|consume|pull|drain|shift|await|accept|listen|work|task)"
    r"(_|\d|$)"
)
PUTS = re.compile(
    r"(^|_)(put|push|add|submit|enqueue|offer|send|emit|produce|publish|append|write|room|space|full)(_|\d|$)"
)
HAND_OFFS = ("queue-get", "condition", "event", "pipe-read")  # a receive from a socket may be a client's
THREAD_ENTRIES = frozenset(
    {
        "start_thread",
        "clone",
        "clone3",
        "__clone",
        "__clone3",
        "_start",
        "start",  # a Mac's main thread, in dyld
        "thread_start",
        "start_wqthread",
        "_pthread_start",
    }
)
RETURNS_PER_LOOK = 0.003
NEARLY_ALWAYS = 0.95
NATIVE_IDLE_CPU = 0.02
MOST_WHOLE = 0.7


def idle_looks(looks: Looks, stacks: Stacks, native: NativeDetail, cpu_share: Array) -> Array:
    """Mark the looks in which a thread waited for work.

    `cpu_share`: CPU time over lifetime per thread. Returns an array of bool, one per look. Waits inside a known
    operation always count.
    """
    candidate = looks.because(*WAITS_FOR_WORK) & (looks.op_seq == 0)
    hands_over, children = looks.because(*HAND_OFFS), looks.because("child")
    idle = np.zeros(len(looks), dtype=bool)
    for thread in np.unique(looks.thread[candidate]).tolist():
        mine = looks.of_thread(thread)
        at = np.flatnonzero(candidate[mine]) + mine.start
        history = History(native.sampled_stacks(thread, looks), stacks, ordered=looks.ordered)
        # Without a stack, a shell or launcher that waits for its child is idle: the time is the child's.
        situation, which = np.unique(looks.stack[at] * 4 + 2 * children[at] + hands_over[at], return_inverse=True)
        without_stack = bool(cpu_share[thread] < NATIVE_IDLE_CPU)
        verdicts = [
            waits_for_work(stacks, history, one // 4, bool(one % 2)) if one >= 0 else without_stack or bool(one & 2)
            for one in situation.tolist()
        ]
        idle[at] = np.array(verdicts, dtype=bool)[which]
    return idle


def waits_for_work(stacks: Stacks, history: History, stack: int, hands_over: bool) -> bool:
    """Whether a wait was called from a loop of the thread, or by a function that takes work for a loop."""
    own = stacks.own_frames(stack)
    innermost = stacks.functions[own[0].function]
    if innermost.library:  # the loop is Python's own (a pool's worker), or inlined into the thread's entry
        return innermost.kind == "python" or stacks.functions[stacks.frames(stack)[-1].function].name in THREAD_ENTRIES
    if history.is_loop(own[0].function):
        return True
    if not hands_over or not takes_work(innermost.name):
        return False
    return len(own) == 1 or history.is_loop(own[1].function)  # without a caller of its own: the thread's entry is


def takes_work(name: str) -> bool:
    """Whether a function's name says that it takes from a queue (`WorkQueue.take`, `TaskQueue::pop`).

    Nothing else tells a consumer that waits for work from a producer that waits for room where both wait on a condition
    of the program's own. A name that says neither is not taken for idle.
    """
    verb = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.split(r"[.:]", name)[-1]).lower()
    return bool(TAKES.search(verb)) and not PUTS.search(verb)


def _whole(stack: Array, stacks: Stacks) -> Array:
    """The stacks that begin where most do: frames that were not found say nothing of what a thread left."""
    if len(stack) == 0:
        return stack
    roots = stacks.roots(stack)
    whole = roots == np.bincount(roots).argmax()
    return stack[whole] if whole.mean() >= MOST_WHOLE else stack


class History:
    """The stacks of one thread in order of time, summed up so that many functions can be asked for.

    `stack`: stack per look, -1 without one; looks without one are left out, and those whose stack breaks off before
    the frame that most begin with. Not `ordered`: how often a function came back is not known, only how often it was
    there.
    """

    def __init__(self, stack: Array, stacks: Stacks, *, ordered: bool = True) -> None:
        self._ordered = ordered
        known = _whole(stack[stack >= 0], stacks)
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
        looks_inside = float((self._ended - self._began + 1)[present].sum())
        if not self._ordered:
            return looks_inside >= NEARLY_ALWAYS * self._looks
        entries = int(present[0]) + int(np.count_nonzero(present[1:] & ~present[:-1]))
        return entries - 1 <= max(1.0, RETURNS_PER_LOOK * looks_inside)

    def _presence(self, function: int) -> Array:
        return self._stacks.having(function, self._visits)
