"""Sampled allocations by when they were made and freed, and by calling context: the growth of memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.context import Context
from storeprof.views.bins import Bins
from storeprof.views.wall import summed

Array = np.ndarray[Any, Any]

UNIT_BYTES = 256


def allocated(context: Context, bins: Bins, node: Array) -> dict[str, Array]:
    """Table `allocations`: bytes (in units of 256) by `node`, `born` and `died`.

    `born`: 1 + bin, 0 for what was there before the window; `died`: 1 + bin, 0 for what stayed, or was freed only
    when the program took itself down.
    """
    rows = context.allocations
    teardown = rows.teardown(context.recording.duration_s) if len(rows) else 0.0
    born = np.where(rows.born < 0, 0, 1 + bins.of(bins.start_ns + (rows.born * 1e9).astype(np.int64)))
    gone = np.isfinite(rows.died) & ((rows.died < teardown) | (rows.born >= teardown))
    died_ns = bins.start_ns + (np.where(gone, rows.died, 0.0) * 1e9).astype(np.int64)
    inside = gone & (died_ns < bins.end_ns)
    died = np.where(inside, 1 + bins.of(died_ns), 0)
    seen = ~(inside & (died_ns < bins.start_ns))
    found = summed({"node": node[seen], "born": born[seen], "died": died[seen]}, rows.weight_bytes[seen] / UNIT_BYTES)
    found["weight"] = np.rint(found["weight"])
    return found
