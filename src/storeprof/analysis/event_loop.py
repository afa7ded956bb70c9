"""An event loop that waits: for requests, or for answers? Without known operations nobody can tell."""

from __future__ import annotations

import numpy as np

from storeprof.analysis.context import Context
from storeprof.analysis.throughput import throughput

BUSY_THREAD = 0.02
MOSTLY_WAITING = 0.5
UNDER_USED = 0.25


def undecided_event_loop(context: Context) -> str | None:
    """Why a program that is one event loop can't be given a clean bill, and what would help; None when it can.

    The waits of a loop are taken for idle. A loop that is used by less than a quarter is plainly under-used; above
    that, its waits may as well be those of its requests for something slow.
    """
    if throughput(context).per_s is not None:
        return None
    used = context.by_thread.sum(axis=1)
    lifetime = used + context.slack.idle_s
    busy = np.flatnonzero(used > BUSY_THREAD * lifetime)
    if len(busy) != 1:
        return None
    waiting, working = (float(part[busy[0]] / lifetime[busy[0]]) for part in (context.slack.event_loop_s, used))
    if waiting <= MOSTLY_WAITING or working < UNDER_USED:
        return None
    return (
        f"can't tell: the event loop waited {waiting:.0%} of the time, for requests or for what they need; "
        "make operations known (probes, --operation, or a line `ops=N seconds=S`)"
    )
