"""Rows grouped by whole numbers without sorting them: recordings have millions of rows and few different numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def distinct(values: Array) -> tuple[Array, Array]:
    """The different values, ascending, and each row's position among them: `np.unique(…, return_inverse=True)`.

    Numbers that are spread widely are sorted all the same.
    """
    if len(values) == 0:
        return values, np.zeros(0, dtype=np.int64)
    low = int(values.min())
    span = int(values.max()) - low + 1
    if span > 4 * len(values) + 1_000_000:
        keys, position = np.unique(values, return_inverse=True)
        return keys, position
    present = np.zeros(span, dtype=bool)
    present[values - low] = True
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[values - low]
