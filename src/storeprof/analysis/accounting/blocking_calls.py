"""CPU time inside the very calls that a thread also blocks in: what `fsync` costs is both.

A call that waits for the disk first prepares the request and afterwards takes in the answer, in the kernel, on the
caller's CPU time. On a fast disk that is as much as the waiting, and it goes with the call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CPU, IO
from storeprof.analysis.context import Context

Array = np.ndarray[Any, Any]

MOSTLY_WAITS = 0.5  # of the CPU time: calls that wait less than this work, and now and then wait as well


def cpu_in_calls(context: Context, waits: Array) -> Array:
    """Mask over `context.busy`: CPU time at the places of these waits for the disk (a mask), if they mostly wait.

    The place is function, line and what was called there. In native code it must be a call of a library: a line of the
    program's own may hold anything.
    """
    rows = context.busy
    function, line, callee = context.stacks.places(rows.stack)
    calls = np.array([one.kind != "native" for one in context.stacks.functions] + [False])[function] | (callee >= 0)
    place = (function.astype(np.int64) << 40) + ((line.astype(np.int64) + 1) << 20) + callee + 1
    blocked = waits & (rows.category == IO) & (function >= 0) & calls
    found = (rows.category == CPU) & np.isin(place, np.unique(place[blocked]))
    seconds, cpu_seconds = context.seconds(blocked), context.seconds(found)
    return found if seconds >= MOSTLY_WAITS * cpu_seconds else np.zeros(len(rows), dtype=bool)
