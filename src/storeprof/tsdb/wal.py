"""The write-ahead log of one generation: slots of a mapped file, reserved without a lock and filled by their writers.

Why a mapping and not `write`: a store into a shared mapping is in the kernel's page the moment it is made, so it survives
SIGKILL, and it neither costs a system call nor gives up the GIL, which with several threads takes 5 ms to get back.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import count
from threading import Lock
from zlib import crc32

from storeprof.probe import profile_function
from storeprof.tsdb.errors import CorruptionError
from storeprof.tsdb.files import Files

MAGIC = b"STSWAL\x01\x00"
FIRST_SLOT = 64
SLOT = struct.Struct("<II16s")  # CRC, series, packed sample
_HEADER = struct.Struct("<8sQQ")
_CRC = struct.Struct("<I")
_WATERMARK = struct.Struct("<QI")
_WATERMARK_AT = 32
_SCANNED_SLOTS = 4096
_fill = SLOT.pack_into


def log_name(generation: int) -> str:
    """File name of a generation's log."""
    return f"wal-{generation:08d}.log"


def seed(generation: int, series: int) -> int:
    """What the CRC of a slot begins with, so that a slot is valid for one series of one generation only."""
    return crc32(struct.pack("<QI", generation, series))


class WriteAheadLog:
    """The log of one generation, from its creation to its removal.

    `append` takes no lock: `next` on the counter is one C call under the GIL, so a slot has one writer.
    `_sync_lock` guards `_synced`, `_named` and the watermark.
    """

    def __init__(self, files: Files, generation: int, size: int, sync_series: Callable[[], None]) -> None:
        """Allocates the file; `sync_series` makes the series of all appended samples durable. Raises OSError."""
        self._files = files
        self._name = log_name(generation)
        self._sync_series = sync_series
        self._file = files.create(self._name)
        self._map = self._file.map(size)
        header = _HEADER.pack(MAGIC, generation, size)
        self._map[: len(header) + _CRC.size] = header + _CRC.pack(crc32(header))
        self._end = FIRST_SLOT + (size - FIRST_SLOT) // SLOT.size * SLOT.size
        self._limit = self._end
        self._slots = count(FIRST_SLOT, SLOT.size)
        self._sync_lock = Lock()
        self._synced = FIRST_SLOT
        self._named = False

    @profile_function
    def append(self, series: int, seed: int, sample: bytes) -> int:
        """Puts one packed sample into the next slot; returns where the slot ends, 0 when the log is full or sealed."""
        offset = next(self._slots)
        if offset >= self._limit:
            return 0
        _fill(self._map, offset, crc32(sample, seed), series, sample)
        return offset + SLOT.size

    def seal(self) -> None:
        """Refuses slots from now on; a writer that has one already may still fill it."""
        self._limit = 0

    @profile_function
    def sync(self, upto: int | None = None) -> int:
        """Returns when every slot filled on entry is durable; returns the watermark.

        With `upto` (an end that `append` returned) it is enough that another thread's sync covered that slot: writers
        that wait together share one sync.
        """
        with self._sync_lock:
            if (upto or self._end) <= self._synced:
                return self._synced
            filled = self._filled_from(self._synced)
            self._sync_series()
            if not self._named:
                self._files.sync_directory()
                self._named = True
            self._file.sync()
            packed = filled.to_bytes(8, "little")
            _WATERMARK.pack_into(self._map, _WATERMARK_AT, filled, crc32(packed))
            self._synced = filled
            return filled

    def remove(self) -> None:
        """Takes the file away, once its samples are durable elsewhere."""
        with self._sync_lock:
            self._files.remove(self._name)
            self._synced = self._end  # who still waits for a sync has it

    def _filled_from(self, offset: int) -> int:
        """The first unfilled slot from `offset` on: everything below may be promised."""
        while offset < self._end:
            upto = min(self._end, offset + _SCANNED_SLOTS * SLOT.size)
            with memoryview(self._map) as whole, whole[offset:upto].cast("I") as words:
                series = words[1 :: SLOT.size // 4].tolist()
            if 0 in series:
                return offset + series.index(0) * SLOT.size
            offset = upto
        return offset


def read_log(files: Files, generation: int) -> Iterator[tuple[int, bytes, bool]]:
    """Series, packed sample and whether it was promised, for each valid slot of a log left behind.

    Raises CorruptionError for a slot below the watermark that isn't whole.
    """
    name = log_name(generation)
    file = files.open(name)
    data = file.read(0, file.size()).ljust(FIRST_SLOT, b"\x00")
    watermark = _check_header(name, generation, data)
    seeds: dict[int, int] = {}
    used = len(data.rstrip(b"\x00"))
    for offset in range(FIRST_SLOT, min(max(used, watermark), len(data) - SLOT.size + 1), SLOT.size):
        crc, series, sample = SLOT.unpack_from(data, offset)
        start = seeds.get(series)
        if start is None:
            start = seeds[series] = seed(generation, series)
        if series and crc32(sample, start) == crc:
            yield series, sample, offset < watermark
        elif offset < watermark:
            raise CorruptionError(name, offset, "a synced record does not match its checksum")


def _check_header(name: str, generation: int, data: bytes) -> int:
    """The watermark of a log; FIRST_SLOT when it was never synced."""
    header = data[: _HEADER.size]
    crc = data[_HEADER.size : _HEADER.size + _CRC.size]
    if not data[:FIRST_SLOT].strip(b"\x00"):
        return FIRST_SLOT
    if crc != _CRC.pack(crc32(header)) or _HEADER.unpack(header)[:2] != (MAGIC, generation):
        raise CorruptionError(name, 0, "not a write-ahead log of version 1")
    watermark, crc_of_watermark = _WATERMARK.unpack_from(data, _WATERMARK_AT)
    if crc32(watermark.to_bytes(8, "little")) != crc_of_watermark:
        return FIRST_SLOT
    if watermark > len(data):
        raise CorruptionError(name, len(data), f"the file was synced up to byte {watermark}")
    return int(watermark)
