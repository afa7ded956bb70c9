"""The samples in memory that a write-ahead log protects: one generation, a chunk per series."""

from __future__ import annotations

from bisect import bisect_left

from storeprof.tsdb.samples import Samples, rises, tidy, unpack
from storeprof.tsdb.wal import WriteAheadLog, seed


class Chunk:
    """Packed samples of one series in the order of the writes.

    `extend` is one C call under the GIL: whole samples appear, in some order, and no writer waits for a lock.
    """

    __slots__ = ("_seen", "data", "extend", "seed", "series")

    def __init__(self, generation: int, series: int) -> None:
        self.series = series
        self.seed = seed(generation, series)
        self.data = bytearray()
        self.extend = self.data.extend
        # How many samples readers have looked at, and whether those rise. Stored as one tuple: two readers at once may
        # set it back, and either tuple is true.
        self._seen = (0, True)

    def samples(self) -> Samples:
        """All samples, in order of time."""
        return tidy(unpack(bytes(self.data)))

    def between(self, start: int, end: int) -> Samples:
        """Those with start <= timestamp < end; each sample is checked for its order once, not at each read."""
        data = bytes(self.data)  # a view into `data` itself would make a writer's extend fail
        timestamps = memoryview(data).cast("q")[::2]
        known, rising = self._seen
        if rising and known < len(timestamps):
            rising = rises(timestamps[max(known - 1, 0) :].tolist())
        self._seen = (len(timestamps), rising)
        if not rising:
            return tidy(unpack(data)).between(start, end)
        low = bisect_left(timestamps, start)
        return unpack(data, low, bisect_left(timestamps, end, low))


class Generation:
    """A log and the chunks it protects. `chunks` and `by_series` get new entries under the storage's lock only.

    `closed` is set once, before the flush looks at the chunks. A writer looks at it after its sample is in a chunk: unset
    means that the flush will see the sample, set means that it may not, and the write is repeated in the next generation.
    """

    __slots__ = ("accounted", "by_series", "chunks", "closed", "log", "number")

    def __init__(self, number: int, log: WriteAheadLog) -> None:
        self.number = number
        self.log = log
        self.chunks: dict[
            tuple[tuple[str, str], ...], Chunk
        ] = {}  # by labels in the order a caller gave them
        self.by_series: dict[int, Chunk] = {}
        self.closed = False
        self.accounted = 0  # bytes reported to the memory tag; guarded by the storage's `_turn`

    def close(self) -> None:
        """No sample enters any more, except one that is repeated elsewhere."""
        self.log.seal()
        self.closed = True
