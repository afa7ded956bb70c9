"""What the other side did while threads waited: the likely cause of the wait.

A look sees one thread at a time, but all threads are looked at in one round, so rows within 2 ms belong together. Who
holds a plain Python lock, or will fill a queue, is written nowhere; what is known is who did not wait.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.context import Context
from storeprof.analysis.finding import Shared

Array = np.ndarray[Any, Any]

SAME_ROUND_NS = 2_000_000


def beside(context: Context, waiting: Array) -> Array:
    """Mask over `context.busy`: what other threads did, busy or blocked, while the `waiting` rows waited.

    A holder that a look named counts alone. Threads that never wait this way themselves go first: those that do are
    as likely the other victims. Rows without a stack say nothing and are left out.
    """
    rows = context.busy
    at = np.sort(np.unique(rows.t_ns[waiting]))
    candidates = np.flatnonzero(~waiting & (rows.stack >= 0))
    found = np.zeros(len(rows.t_ns), dtype=bool)
    if len(at) == 0 or len(candidates) == 0:
        return found
    times = rows.t_ns[candidates]
    after = np.clip(np.searchsorted(at, times), 0, len(at) - 1)
    distance = np.minimum(np.abs(at[after] - times), np.abs(at[np.maximum(after - 1, 0)] - times))
    near = candidates[distance < SAME_ROUND_NS]
    named = np.unique(rows.holder[waiting & (rows.holder >= 0)])
    others = near[np.isin(rows.thread[near], named)] if len(named) else near
    victims = np.unique(rows.thread[waiting])
    foreign = others[~np.isin(rows.thread[others], victims)]
    found[foreign if len(foreign) else others] = True
    return found


def other_side(context: Context, waiting: Array) -> tuple[Shared, ...]:
    """Functions that others were in while the `waiting` rows waited, largest share first."""
    return describe.functions(context.stacks, context.busy.where(beside(context, waiting)))
