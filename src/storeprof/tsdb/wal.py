"""The write-ahead log of one generation: slots of a mapped file, reserved without a lock.

A store into a shared mapping is in the kernel's page at once and survives SIGKILL as `write` does, but costs
no system call and doesn't give up the GIL, which can take 5 ms to get back.
"""

import struct
from array import array
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count
from threading import Lock
from zlib import crc32

from storeprof.probe import profile_function
from storeprof.tsdb.files import CorruptionError, Files

MAGIC = b"STSWAL\x01\x00"
log_name = "wal-{:08d}.log".format  # of a generation
FIRST_SLOT = 64
SLOT = struct.Struct("<II16s")  # CRC, series, packed sample
_HEADER = struct.Struct("<8sQQI")  # magic, generation, watermark, CRC of the watermark
_SCANNED_BYTES = 4096 * SLOT.size
_fill = SLOT.pack_into


def seed(generation: int, series: int) -> int:
    """What the CRC of a slot begins with, so that a slot is valid for one series of one generation only."""
    return crc32(struct.pack("<QI", generation, series))


class WriteAheadLog:
    """The log of one generation; `append` refuses from `limit` on, and 0 there seals it.

    `append` takes no lock: `next` on the counter is one C call under the GIL, so a slot has one writer.
    `_sync_lock` guards `_synced` and the header.
    """

    def __init__(self, files: Files, generation: int, size: int, sync_series: Callable[[], None]) -> None:
        """Allocates the file; `sync_series` makes the series of appended samples durable. Raises OSError."""
        self._files, self.generation, self._sync_series = files, generation, sync_series
        self._end = self.limit = FIRST_SLOT + max(1, (size - FIRST_SLOT) // SLOT.size) * SLOT.size
        self._file = files.open(log_name(generation), new=True)
        self._map = self._file.map(self._end)
        self._offsets, self._sync_lock, self._synced = count(FIRST_SLOT, SLOT.size), Lock(), 0
        self._promise(FIRST_SLOT)

    @profile_function
    def append(self, series: int, seed: int, sample: bytes) -> int:
        """Puts a packed sample into the next slot; returns where it ends, 0 when the log is full."""
        offset = next(self._offsets)
        if offset >= self.limit:
            return 0
        _fill(self._map, offset, crc32(sample, seed), series, sample)
        return offset + SLOT.size

    @profile_function
    def sync(self, upto: int | None = None) -> int:
        """Returns how many slots are durable: all filled on entry. Raises OSError.

        With `upto`, an end that `append` returned, that slot is enough: waiting writers share one sync.
        """
        with self._sync_lock:
            if (upto or self._end) > self._synced:
                filled = max(self._synced, FIRST_SLOT)
                while filled < self._end:
                    series = array("I", self._map[filled : filled + _SCANNED_BYTES])[1 :: SLOT.size // 4]
                    if 0 in series:
                        filled += series.index(0) * SLOT.size
                        break
                    filled += len(series) * SLOT.size
                self._sync_series()
                if not self._synced:
                    self._files.sync_directory()
                self._file.sync()
                self._promise(filled)
                self._synced = filled
            return (self._synced - FIRST_SLOT) // SLOT.size

    def _promise(self, watermark: int) -> None:
        crc = crc32(watermark.to_bytes(8, "little"))
        _HEADER.pack_into(self._map, 0, MAGIC, self.generation, watermark, crc)


def read_log(files: Files, generation: int) -> Iterator[tuple[int, bytes, bool]]:
    """Series, packed sample and whether it was promised, for each valid slot of a log left behind.

    Raises CorruptionError for a slot below the watermark that isn't whole.
    """
    name = log_name(generation)
    data = files.open(name).read().ljust(FIRST_SLOT, b"\x00")
    magic, number, watermark, crc = _HEADER.unpack_from(data)
    if not data[:FIRST_SLOT].strip(b"\x00"):
        watermark = FIRST_SLOT  # its first sync never ended
    elif (magic, number, crc) != (MAGIC, generation, crc32(data[16:24])) or watermark > len(data):
        raise CorruptionError(name, 0, "not a whole write-ahead log of version 1")
    seed_of = cache(partial(seed, generation))
    for offset in range(FIRST_SLOT, len(data) - SLOT.size + 1, SLOT.size):
        crc, series, sample = SLOT.unpack_from(data, offset)
        if series and crc32(sample, seed_of(series)) == crc:
            yield series, sample, offset < watermark
        elif offset < watermark:
            raise CorruptionError(name, offset, "a synced record does not match its checksum")
