"""Block files: written whole per generation, read block by block, found by an index in memory."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from zlib import crc32

from storeprof.probe import profile_function
from storeprof.tsdb.cache import CacheHierarchy, Payload
from storeprof.tsdb.compression import CompressionEngine
from storeprof.tsdb.errors import CorruptionError
from storeprof.tsdb.files import File, Files
from storeprof.tsdb.samples import Samples

MAGIC = b"STSBLK\x01\x00"
_FILE = struct.Struct("<8sQ12x")
_CRC = struct.Struct("<I")
_BLOCK = struct.Struct("<IIII4sqq8x")  # without the CRC in front
_TRAILER = struct.Struct("<4sI4x")
_FILE_SIZE = _FILE.size + _CRC.size
_BLOCK_SIZE = _CRC.size + _BLOCK.size
_TRAILER_SIZE = _CRC.size + _TRAILER.size


def block_name(generation: int) -> str:
    """File name of a generation's blocks."""
    return f"blocks-{generation:08d}.tsb"


@dataclass(slots=True)
class BlockFile:
    """A block file; no descriptor is kept, for many small flushes make many files."""

    generation: int
    size: int = 0
    blocks: list[BlockRef] = field(default_factory=list)
    writing: File | None = None  # until the commit
    dropped: bool = False  # by retention; a reader may still hold its blocks


@dataclass(frozen=True, slots=True)
class BlockRef:
    """Where one block lies and what it holds."""

    home: BlockFile = field(repr=False)
    offset: int  # of the payload
    length: int
    crc: int
    series: int
    count: int
    first: int
    last: int


class BlockManager:
    """All block files. One thread at a time writes (the storage's flush lock); reading needs no lock.

    `_by_series` and `_held` are changed by the writing thread only, by appending or by putting a new list in place.
    """

    def __init__(self, files: Files, cache: CacheHierarchy, codec: CompressionEngine) -> None:
        """Reads the headers of all block files. Raises CorruptionError, OSError."""
        self._files = files
        self._cache = cache
        self._codec = codec
        self._by_series: dict[int, list[BlockRef]] = {}
        self._held: list[BlockFile] = []
        for name in files.names():
            if name.startswith("blocks-") and name.endswith(".tsb"):
                self._publish(_read_headers(name, files.open(name)))

    def generations(self) -> list[int]:
        """Numbers of the generations that have a block file, oldest first."""
        return [held.generation for held in self._held]

    def highest_series(self) -> int:
        """The highest series number in any block, 0 without blocks."""
        return max(self._by_series, default=0)

    def begin(self, generation: int) -> BlockFile:
        """A file to store blocks in; nobody sees them before `commit`."""
        home = BlockFile(generation, writing=self._files.create(block_name(generation) + ".tmp"))
        header = _FILE.pack(MAGIC, generation)
        self._append(home, header + _CRC.pack(crc32(header)))
        return home

    @profile_function
    def store_block(self, home: BlockFile, series: int, samples: Samples) -> BlockRef:
        """Compresses samples that rise in time and appends them as one block. Raises OSError."""
        data = self._codec.compress(samples)
        first, last, count = samples.timestamps[0], samples.timestamps[-1], len(samples.timestamps)
        header = _BLOCK.pack(crc32(data), len(data), series, count, b"BLCK", first, last)
        start = self._append(home, _CRC.pack(crc32(header)) + header + data)
        ref = BlockRef(home, start + _BLOCK_SIZE, len(data), crc32(data), series, count, first, last)
        home.blocks.append(ref)
        self._cache.put((home.generation, ref.offset), samples, Payload(data, first, count))
        return ref

    def commit(self, home: BlockFile) -> None:
        """Makes the file durable under its name, then visible to readers."""
        trailer = _TRAILER.pack(b"TAIL", len(home.blocks))
        self._append(home, _CRC.pack(crc32(trailer)) + trailer)
        assert home.writing is not None
        home.writing.sync()
        home.writing = None
        name = block_name(home.generation)
        self._files.rename(name + ".tmp", name)
        self._files.sync_directory()
        self._publish(home)

    def store_generation(
        self, generation: int, chunks: Iterable[tuple[int, Samples]], sync_series: Callable[[], None]
    ) -> None:
        """Stores a generation as one file, a block per series; without samples there is no file. Raises OSError."""
        home: BlockFile | None = None
        for series, samples in chunks:
            if samples.timestamps:
                home = home or self.begin(generation)
                self.store_block(home, series, samples)
        if home is not None:
            sync_series()
            self.commit(home)

    def find(self, series: int, start: int, end: int) -> list[BlockRef]:
        """Blocks of a series that may hold samples with start <= timestamp < end, oldest generation first."""
        return [ref for ref in self._by_series.get(series, ()) if ref.first < end and ref.last >= start]

    @profile_function
    def load_block(self, ref: BlockRef) -> Samples:
        """The samples of a block, from the cache or the file. Raises CorruptionError, OSError."""
        key = (ref.home.generation, ref.offset)
        samples = self._cache.get(key)
        if samples is not None:
            return samples
        name = block_name(ref.home.generation)
        try:
            data = self._files.open(name).read(ref.offset, ref.length)
        except FileNotFoundError:
            if ref.home.dropped:
                return Samples(array("q"), array("d"))
            raise CorruptionError(name, 0, "the file is gone") from None
        if crc32(data) != ref.crc:
            raise CorruptionError(name, ref.offset, "a block does not match its checksum")
        try:
            samples = self._codec.decompress(data, ref.first, ref.count)
        except ValueError as error:
            raise CorruptionError(name, ref.offset, str(error)) from None
        self._cache.put(key, samples, Payload(data, ref.first, ref.count))
        return samples

    def retain(self, limit_bytes: int) -> None:
        """Removes the oldest files until the rest fits `limit_bytes`; the newest stays."""
        total = sum(held.size for held in self._held)
        while total > limit_bytes and len(self._held) > 1:
            oldest = self._held[0]
            self._held = self._held[1:]
            total -= oldest.size
            oldest.dropped = True
            for series in {ref.series for ref in oldest.blocks}:
                kept = [ref for ref in self._by_series[series] if ref.home is not oldest]
                self._by_series[series] = kept
            self._files.remove(block_name(oldest.generation))

    def _publish(self, home: BlockFile) -> None:
        self._held.append(home)
        for ref in home.blocks:
            self._by_series.setdefault(ref.series, []).append(ref)

    @staticmethod
    def _append(home: BlockFile, data: bytes) -> int:
        assert home.writing is not None
        start = home.size
        home.writing.append(data)
        home.size += len(data)
        return start


def _read_headers(name: str, file: File) -> BlockFile:
    size = file.size()
    header = _checked(name, file, size - _FILE_SIZE, 0, _FILE_SIZE, crc_first=False)
    magic, generation = _FILE.unpack(header)
    if magic != MAGIC or name != block_name(generation):
        raise CorruptionError(name, 0, "not a block file of version 1")
    home = BlockFile(generation, size)
    offset = _FILE_SIZE
    end = size - _TRAILER_SIZE
    while offset < end:
        header = _checked(name, file, end, offset, _BLOCK_SIZE)
        crc, length, series, count, _, first, last = _BLOCK.unpack(header)
        home.blocks.append(BlockRef(home, offset + _BLOCK_SIZE, length, crc, series, count, first, last))
        offset += _BLOCK_SIZE + length
    magic, count = _TRAILER.unpack(_checked(name, file, size, end, _TRAILER_SIZE))
    if magic != b"TAIL" or count != len(home.blocks) or offset != end:
        raise CorruptionError(name, end, "the trailer does not fit the blocks")
    return home


def _checked(name: str, file: File, end: int, offset: int, size: int, crc_first: bool = True) -> bytes:
    """`size` bytes at `offset` without their CRC, which must be right."""
    data = file.read(offset, size) if 0 <= offset < end else b""
    crc, body = (
        (data[: _CRC.size], data[_CRC.size :]) if crc_first else (data[-_CRC.size :], data[: -_CRC.size])
    )
    if len(data) != size or crc != _CRC.pack(crc32(body)):
        raise CorruptionError(name, offset, "a header does not match its checksum")
    return body
