"""Block files: written whole per generation, read block by block, found by an index in memory."""

import struct
from array import array
from collections.abc import Callable, Iterable
from typing import NamedTuple
from zlib import crc32

from storeprof.probe import profile_function
from storeprof.tsdb.cache import CacheHierarchy
from storeprof.tsdb.compression import CompressionEngine
from storeprof.tsdb.files import CorruptionError, File, Files
from storeprof.tsdb.samples import Samples

MAGIC = b"STSBLK\x01\x00"
_HEAD = struct.Struct("<IIIIqq")  # the fields of BlockRef from `crc` on
_HEAD_SIZE = _HEAD.size + 4  # behind it, its own CRC


def block_name(generation: int) -> str:
    """File name of a generation's blocks."""
    return f"blocks-{generation:08d}.tsb"


class BlockRef(NamedTuple):
    """Where one block lies (the offset, CRC and length are its payload's) and what it holds."""

    generation: int
    offset: int
    crc: int
    length: int
    series: int
    samples: int
    first: int
    last: int


class BlockManager:
    """All block files. One thread at a time writes them and changes the maps (the storage's `_flush_lock`).

    Reading needs no lock. Files are not kept open, for small flushes make many.
    """

    def __init__(self, files: Files, cache: CacheHierarchy, codec: CompressionEngine) -> None:
        """Reads the headers of all block files. Raises CorruptionError, OSError."""
        self._files, self._cache, self._codec = files, cache, codec
        self.by_series: dict[int, list[BlockRef]] = {}  # oldest generation first
        self.sizes: dict[int, int] = {}  # bytes by generation, oldest first
        for name in files.names():
            if name.endswith(".tsb"):
                self._load_headers(name, int(name[7:-4]))

    def store_generation(
        self, generation: int, chunks: Iterable[tuple[int, Samples]], sync_series: Callable[[], None]
    ) -> None:
        """Stores a generation as a file, durable on return; without samples there is none. Raises OSError."""
        name = block_name(generation)
        file = self._files.open(name + ".tmp", new=True)
        file.append(MAGIC + generation.to_bytes(8, "little"))
        refs = [self.store_block(file, generation, series, samples) for series, samples in chunks]
        if not refs:
            return self._files.remove(name + ".tmp")
        end = file.append(_with_crc(_HEAD.pack(0, 0, 0, len(refs), 0, 0)))
        sync_series()
        file.sync()
        self._files.rename(name + ".tmp", name)
        self._files.sync_directory()
        return self._publish(generation, end + _HEAD_SIZE, refs)

    @profile_function
    def store_block(self, file: File, generation: int, series: int, samples: Samples) -> BlockRef:
        """Compresses samples (at least one) and appends them as a block of an unfinished file."""
        data = self._codec.compress(samples)
        first, last, count = samples.timestamps[0], samples.timestamps[-1], len(samples.timestamps)
        head = (crc32(data), len(data), series, count, first, last)
        offset = file.append(_with_crc(_HEAD.pack(*head)) + data) + _HEAD_SIZE
        self._cache.put((generation, offset), samples, (data, first, count))
        return BlockRef(generation, offset, *head)

    @profile_function
    def load_block(self, ref: BlockRef) -> Samples:
        """The samples of a block; none when retention took it meanwhile. Raises CorruptionError, OSError."""
        samples = self._cache.get(ref[:2])
        if samples is not None:
            return samples
        name = block_name(ref.generation)
        try:
            data = self._files.open(name).read(ref.offset, ref.length)
        except FileNotFoundError:
            if ref.generation in self.sizes:
                raise CorruptionError(name, 0, "the file is gone") from None
            return Samples(array("q"), array("d"))
        if crc32(data) != ref.crc:
            raise CorruptionError(name, ref.offset, "a block does not match its checksum")
        payload = (data, ref.first, ref.samples)
        samples = self._codec.decompress(*payload)
        self._cache.put(ref[:2], samples, payload)
        return samples

    def retain(self, limit_bytes: int) -> None:
        """Removes the oldest files until the rest fits `limit_bytes`; the newest stays. Raises OSError."""
        while sum(self.sizes.values()) > limit_bytes and len(self.sizes) > 1:
            oldest = next(iter(self.sizes))
            del self.sizes[oldest]
            for series, refs in self.by_series.items():
                self.by_series[series] = [ref for ref in refs if ref.generation != oldest]
            self._files.remove(block_name(oldest))

    def _publish(self, generation: int, size: int, refs: list[BlockRef]) -> None:
        self.sizes[generation] = size
        for ref in refs:
            self.by_series.setdefault(ref.series, []).append(ref)

    def _load_headers(self, name: str, generation: int) -> None:
        file, offset = self._files.open(name), 16
        if file.read(0, offset) != MAGIC + generation.to_bytes(8, "little"):
            raise CorruptionError(name, 0, "not a block file of version 1")
        refs: list[BlockRef] = []
        while not refs or refs[-1].series:
            head = file.read(offset, _HEAD_SIZE)
            if len(head) < _HEAD_SIZE or head != _with_crc(head[: _HEAD.size]):
                raise CorruptionError(name, offset, "a header is damaged, or the end is missing")
            refs.append(BlockRef(generation, offset + _HEAD_SIZE, *_HEAD.unpack_from(head)))
            offset = refs[-1].offset + refs[-1].length
        self._publish(generation, offset, refs[:-1])


def _with_crc(head: bytes) -> bytes:
    return head + crc32(head).to_bytes(4, "little")
