"""CPU time that is a wait: threads that give the CPU away (`sched_yield`) again and again until another one is done.

By the kernel's count such a thread runs. Its work is nothing, so the time is charged to what it waits for, which only
the name of the function that yields can tell: a lock's (`Latch::enter`, `spin_lock`), or one that waits for others'
work (`wait_for_room`). Under any other name it stays CPU time: a loop may yield out of politeness, or poll for work.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CPU, DEPENDENCY, LOCK, Charges
from storeprof.analysis.accounting.stacks import Stacks

Array = np.ndarray[Any, Any]

YIELDS = frozenset({"sched_yield", "__sched_yield", "thrd_yield", "pthread_yield", "std::this_thread::yield"})
OF_LOCKS = re.compile(
    r"(^|_)((spin|rw|rd|wr|try|un)?_?lock|latch|mutex|futex|spin|acquire|guard|critical)(s|ed|er)?(_|\d|$)"
)
OF_OTHERS = re.compile(r"(^|_)(wait|await|until|join|barrier|sync|ready|room|space|full|done)(_|\d|$)")


def spins(charges: Charges, stacks: Stacks) -> Array:
    """Mask of the rows that stand in a call that gives the CPU away."""
    found = np.zeros(len(charges), dtype=bool)
    for key, function in enumerate(stacks.functions):
        if function.name in YIELDS:
            found |= stacks.having(key, charges.stack)
    return found


def with_spins(charges: Charges, stacks: Stacks) -> Charges:
    """The same rows, with CPU time of yielding as waits for locks or for others; their weights stay."""
    at = np.flatnonzero(spins(charges, stacks) & (charges.category == CPU))
    if len(at) == 0:
        return charges
    functions, which = np.unique(stacks.place_functions(charges.stack[at]), return_inverse=True)
    kinds = np.array([spins_for(stacks.functions[one].name) for one in functions.tolist()], dtype=np.int8)
    category = charges.category.copy()
    category[at] = kinds[which]
    return replace(charges, category=category)


def spins_for(name: str) -> int:
    """What a function of this name waits for where it yields: LOCK, DEPENDENCY, or nothing that its name says (CPU)."""
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.split(r"[(<]", name)[0]).replace("::", "_").replace(".", "_").lower()
    if OF_LOCKS.search(words):
        return LOCK
    return DEPENDENCY if OF_OTHERS.search(words) else CPU
