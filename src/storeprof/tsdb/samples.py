"""Timestamps and values side by side: how samples travel between the parts, and how they stand in memory."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice
from operator import lt
from typing import NamedTuple

PACKED = struct.Struct("<qd")  # one sample as the log and a chunk hold it


class Samples(NamedTuple):
    """Samples of a series: `timestamps` (int64) rising strictly, `values` (float64) of the same length."""

    timestamps: array[int]
    values: array[float]

    def between(self, start: int, end: int) -> Samples:
        """Those with start <= timestamp < end."""
        low, high = bisect_left(self.timestamps, start), bisect_left(self.timestamps, end)
        return Samples(self.timestamps[low:high], self.values[low:high])


def merge(parts: Iterable[Samples]) -> Samples:
    """One run out of parts in any order of time, oldest writes first: of equal timestamps the last wins."""
    timestamps, values = array("q"), array("d")
    for part in parts:
        timestamps += part.timestamps
        values += part.values
    if not _rises(timestamps):
        latest = dict(zip(timestamps, values, strict=True))
        timestamps = array("q", sorted(latest))
        values = array("d", map(latest.__getitem__, timestamps))
    return Samples(timestamps, values)


def unpack(data: bytes | bytearray) -> Samples:
    """Packed samples in the order of the writes as one run."""
    return merge((_columns(bytes(data)),))


class Chunk:
    """Packed samples of one series in the order of the writes; `seed` begins the CRC of its log records.

    `extend` is one C call under the GIL: whole samples appear, in some order, and no writer waits for a lock.
    """

    __slots__ = ("_seen", "data", "extend", "seed", "series")

    def __init__(self, series: int, seed: int) -> None:
        self.series, self.seed, self.data = series, seed, bytearray()
        self.extend = self.data.extend
        self._seen = 0, True  # samples checked for their order, and whether they rise; any reader may set it

    def between(self, start: int, end: int) -> Samples:
        """Those with start <= timestamp < end; a sample is checked for its order once, not at each read."""
        data = bytes(self.data)  # a view into `data` itself would make a writer's extend fail
        timestamps = memoryview(data).cast("q")[::2]
        known, rising = self._seen
        rising = rising and _rises(timestamps[max(known - 1, 0) :].tolist())
        self._seen = len(timestamps), rising
        if rising:
            return _columns(data, bisect_left(timestamps, start), bisect_left(timestamps, end))
        return unpack(data).between(start, end)


def _rises(timestamps: array[int] | list[int]) -> bool:
    return all(map(lt, timestamps, islice(timestamps, 1, None)))


def _columns(data: bytes, low: int = 0, high: int | None = None) -> Samples:
    view = memoryview(data)
    timestamps = array("q", view.cast("q")[::2][low:high].tobytes())
    return Samples(timestamps, array("d", view.cast("d")[1::2][low:high].tobytes()))
