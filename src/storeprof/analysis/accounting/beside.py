"""What the other side did while threads waited: the likely cause of the wait.

A look sees one thread at a time, but all threads are looked at in one round, so rows within 2 ms belong together. Who
holds a plain Python lock, or will fill a queue, is written nowhere; what is known is who did not wait.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import DEPENDENCY, RUN_QUEUE
from storeprof.analysis.context import Context
from storeprof.analysis.finding import Shared

Array = np.ndarray[Any, Any]

SAME_ROUND_NS = 2_000_000
# Where looks are dear, a round takes some of the threads only: then what was seen a little before or after has to do.
SOON_NS, FEWEST = 8_000_000, 5


def beside(context: Context, waiting: Array) -> Array:
    """Mask over `context.busy`: what other threads did, busy or blocked, while the `waiting` rows waited.

    A holder that a look named counts alone. Threads that never wait this way themselves go first: those that do are
    as likely the other victims. Rows without a stack say nothing and are left out, and so are threads in library code
    that nothing of the program's called (a pool's worker about to sleep or to start) and those without a CPU, where
    others were at work. Of many rows some stand for all.
    """
    rows, threads = context.busy, len(context.looks.thread_ids)
    waits = rows.where(waiting)
    some = context.some_busy
    some = some[~waiting[some] & (context.function[some] >= 0)]
    near = some[context.seen_near(waits.t_ns, SAME_ROUND_NS, some)]
    if len(near) < FEWEST:
        near = some[context.seen_near(waits.t_ns, SOON_NS, some)]
        at_work = rows.category[near] != DEPENDENCY  # who waits for others as well explains nothing
        near = near[at_work] if at_work.any() else near
    named, victims = np.zeros(threads, dtype=bool), np.zeros(threads, dtype=bool)
    named[waits.holder[waits.holder >= 0]] = True
    victims[waits.thread] = True
    thread = rows.thread[near]
    others = named[thread] if named.any() else np.ones(len(near), dtype=bool)
    at_work = ~_of_library(context)[context.function[near]] & (rows.category[near] != RUN_QUEUE)
    others &= at_work if (others & at_work).any() else True
    foreign = others & ~victims[thread]
    found = np.zeros(len(rows), dtype=bool)
    found[near[foreign if foreign.any() else others]] = True
    return found


def _of_library(context: Context) -> Array:
    """Whether each function (index) is a library's."""
    return np.array([one.library for one in context.stacks.functions], dtype=bool)


def other_side(context: Context, waiting: Array) -> tuple[Shared, ...]:
    """Functions that others were in while the `waiting` rows waited, largest share first."""
    return describe.functions(context.stacks, context.busy.where(beside(context, waiting)))
