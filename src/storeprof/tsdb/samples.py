"""Timestamps and values side by side: how samples travel between the parts."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice
from operator import lt
from typing import NamedTuple

PACKED = struct.Struct("<qd")  # one sample as the log and the head hold it


class Samples(NamedTuple):
    """Samples of one series: `timestamps` (int64) rising strictly, `values` (float64) of the same length."""

    timestamps: array[int]
    values: array[float]

    def between(self, start: int, end: int) -> Samples:
        """Those with start <= timestamp < end."""
        low = bisect_left(self.timestamps, start)
        high = bisect_left(self.timestamps, end, low)
        return Samples(self.timestamps[low:high], self.values[low:high])

    def size_bytes(self) -> int:
        """Bytes of both arrays."""
        return 16 * len(self.timestamps)


def rises(timestamps: Iterable[int]) -> bool:
    """Whether each timestamp is greater than the one before."""
    held = list(timestamps)
    return all(map(lt, held, islice(held, 1, None)))


def tidy(samples: Samples) -> Samples:
    """The same samples in order of time; of equal timestamps the last one given wins."""
    if rises(samples.timestamps):
        return samples
    latest = dict(zip(samples.timestamps, samples.values, strict=True))
    order = sorted(latest)
    return Samples(array("q", order), array("d", map(latest.__getitem__, order)))


def merge(parts: Iterable[Samples]) -> Samples:
    """One run out of several, oldest writes first: of equal timestamps the later part wins."""
    timestamps: array[int] = array("q")
    values: array[float] = array("d")
    for part in parts:
        timestamps += part.timestamps
        values += part.values
    return tidy(Samples(timestamps, values))


def unpack(data: bytes, low: int = 0, high: int | None = None) -> Samples:
    """Samples number `low` up to `high` of packed ones, as they stand: neither sorted nor freed of repetitions."""
    view = memoryview(data)
    timestamps = view.cast("q")[::2][low:high].tobytes()
    values = view.cast("d")[1::2][low:high].tobytes()
    return Samples(array("q", timestamps), array("d", values))
