"""A part of the rows of busy wall: costs that stand inside other work (faults, switches, what has grown)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import concatenate
from storeprof.analysis.context import Context
from storeprof.analysis.finding import Impact
from storeprof.analysis.intervals import Estimate

Array = np.ndarray[Any, Any]

ALL_BUT_ALL = 0.95


def split_rows(context: Context, fraction: Array) -> tuple[Context, Array]:
    """Each row of `context.busy` split in two: the fraction (0 to 1) of it that is the cost, and the rest.

    Returns the context with the split rows, whose sums are the same, and the mask of the cost in them. Shares, gains
    and intervals are then those of any other mask.
    """
    rows = context.busy
    touched = np.flatnonzero(fraction > 0)
    kept = replace(rows, weight_ns=rows.weight_ns * (1.0 - fraction))
    cost = rows.where(touched)
    cost = replace(cost, weight_ns=cost.weight_ns * fraction[touched])
    mask = np.concatenate([np.zeros(len(rows.t_ns), dtype=bool), np.ones(len(touched), dtype=bool)])
    return replace(context, busy=concatenate([kept, cost])), mask


def widened(share: Estimate, gain: Impact, least: float, most: float) -> tuple[Estimate, Impact]:
    """Share and gain of a cost that was counted, not timed: events times a price known between two bounds.

    `least` and `most` are the bounds as multiples of the price that was used.
    """
    wide = Estimate(share.value, share.low * least, min(ALL_BUT_ALL, share.high * most))
    worth = gain.speedup
    low, high = min(worth.low, 1.0 / (1.0 - wide.low)), max(worth.high, 1.0 / (1.0 - wide.high))
    return wide, replace(gain, speedup=Estimate(worth.value, low, high))
