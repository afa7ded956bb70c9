"""The window of a recording cut into bins of equal length, which everything on the page is counted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]

MOST_BINS, USUAL_BIN_NS = 300, 200_000_000
FEWEST_BINS, SHORTEST_BIN_NS = 40, 50_000_000


@dataclass(frozen=True)
class Bins:
    """`count` bins of `length_ns` each, from `start_ns` (CLOCK_MONOTONIC) on."""

    start_ns: int
    length_ns: int
    count: int

    @property
    def end_ns(self) -> int:
        """End of the last bin."""
        return self.start_ns + self.length_ns * self.count

    def of(self, t_ns: Array) -> Array:
        """Bin of each time; times outside count as of the first or last one."""
        return np.clip((np.asarray(t_ns, dtype=np.int64) - self.start_ns) // self.length_ns, 0, self.count - 1)

    def milliseconds(self, t_ns: Array) -> Array:
        """Times as whole ms since the start; what began before it is negative."""
        return (np.asarray(t_ns, dtype=np.int64) - self.start_ns) // 1_000_000


def bins_of(recording: Recording, most: int = MOST_BINS) -> Bins:
    """Bins of the analysed window: at most `most`, of 200 ms (some 40 looks at a thread) or of more.

    Short windows have shorter bins, so that there is something to select, but none of less than 50 ms.
    """
    start, end = recording.window
    count = max((end - start) // USUAL_BIN_NS, min(FEWEST_BINS, (end - start) // SHORTEST_BIN_NS))
    count = int(np.clip(count, 1, most))
    return Bins(start, max(1, -(-(end - start) // count)), count)
