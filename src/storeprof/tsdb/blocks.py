"""Block files, written whole per generation and found by an index in memory, and the cache over them."""

import struct
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Generic, NamedTuple, TypeVar
from zlib import crc32

from storeprof.probe import profile_function, profile_memory_alloc, profile_memory_dealloc
from storeprof.tsdb.compression import CompressionEngine
from storeprof.tsdb.files import CorruptionError, File, Files
from storeprof.tsdb.samples import Samples

TAG = "Block"
MAGIC = b"STSBLK\x01\x00"
block_name = "blocks-{:08d}.tsb".format  # of a generation
_HEAD = struct.Struct("<IIIIqq")  # the fields of BlockRef from `crc` on
_HEAD_SIZE = _HEAD.size + 4  # behind it, its own CRC
Item = TypeVar("Item")


class BlockRef(NamedTuple):
    """Where a block lies (offset, CRC and length are its payload's) and what it holds; never used again."""

    generation: int
    offset: int
    crc: int
    length: int
    series: int
    samples: int
    first: int
    last: int


class _Level(Generic[Item]):
    """Least recently used goes first; bounded by bytes."""

    def __init__(self, capacity: int) -> None:
        self._items: OrderedDict[BlockRef, tuple[Item, int]] = OrderedDict()
        self._capacity, self._bytes = capacity, 0

    def get(self, ref: BlockRef) -> Item | None:
        if ref not in self._items:
            return None
        self._items.move_to_end(ref)
        return self._items[ref][0]

    def put(self, ref: BlockRef, item: Item, size: int) -> None:
        if ref in self._items or size > self._capacity:
            return
        self._items[ref] = (item, size)
        self._bytes += size
        profile_memory_alloc(TAG, size)
        while self._bytes > self._capacity:
            _, (_, freed) = self._items.popitem(last=False)
            self._bytes -= freed
            profile_memory_dealloc(TAG, freed)


class CacheHierarchy:
    """Both levels. `_lock` guards them and the counters; decoding is done outside it."""

    def __init__(self, l1_bytes: int, l2_bytes: int, codec: CompressionEngine) -> None:
        self._lock, self._codec = Lock(), codec
        self._decoded, self._compressed = _Level[Samples](l1_bytes), _Level[bytes](l2_bytes)
        self.l1_hits = self.l2_hits = self.misses = 0

    @profile_function
    def get(self, ref: BlockRef) -> Samples | None:
        """The decoded block, None when neither level has it. A hit in the second level enters the first."""
        with self._lock:
            samples = self._decoded.get(ref)
            payload = self._compressed.get(ref) if samples is None else None
            self.l1_hits += samples is not None
            self.l2_hits += payload is not None
            self.misses += samples is None and payload is None
        if payload is not None:
            samples = self._codec.decompress(payload, ref.first, ref.samples)
            self.put(ref, samples, payload)
        return samples

    @profile_function
    def put(self, ref: BlockRef, samples: Samples, payload: bytes) -> None:
        """Keeps a block in both levels; nobody may change `samples` afterwards."""
        with self._lock:
            self._decoded.put(ref, samples, 16 * ref.samples)
            self._compressed.put(ref, payload, ref.length)


class BlockManager:
    """All block files, not kept open. They are written under the storage's `_flush_lock` and read without."""

    def __init__(self, files: Files, l1_bytes: int, l2_bytes: int, sync_series: Callable[[], None]) -> None:
        """Reads all headers; `sync_series` makes series durable before blocks are. Raises CorruptionError."""
        self._files, self._codec, self._sync_series = files, CompressionEngine(), sync_series
        self.cache = CacheHierarchy(l1_bytes, l2_bytes, self._codec)
        self.by_series: dict[int, list[BlockRef]] = {}  # oldest generation first
        self.sizes: dict[int, int] = {}  # bytes by generation, oldest first
        for name in files.names():
            if name.endswith(".tsb"):
                self._load_headers(name, int(name[7:-4]))

    def store_generation(self, generation: int, chunks: Iterable[tuple[int, Samples]]) -> None:
        """Stores a generation as a file, durable on return; without samples there is none. Raises OSError."""
        name = block_name(generation)
        file = self._files.open(name + ".tmp", new=True)
        file.append(MAGIC + generation.to_bytes(8, "little"))
        stored = [self.store_block(file, generation, series, samples) for series, samples in chunks]
        if not stored:
            return self._files.remove(name + ".tmp")
        file.append(_with_crc(_HEAD.pack(0, 0, 0, len(stored), 0, 0)))
        self._sync_series()
        file.sync()
        self._files.rename(name + ".tmp", name)
        self._files.sync_directory()
        return self._load_headers(name, generation)

    @profile_function
    def store_block(self, file: File, generation: int, series: int, samples: Samples) -> BlockRef:
        """Compresses samples (at least one) and appends them as a block of an unfinished file."""
        data, (times, _) = self._codec.compress(samples), samples
        head = (crc32(data), len(data), series, len(times), times[0], times[-1])
        offset = file.append(_with_crc(_HEAD.pack(*head)) + data) + _HEAD_SIZE
        ref = BlockRef(generation, offset, *head)
        self.cache.put(ref, samples, data)
        return ref

    @profile_function
    def load_block(self, ref: BlockRef) -> Samples:
        """The samples of a block; none when retention took it meanwhile. Raises CorruptionError, OSError."""
        if (samples := self.cache.get(ref)) is not None:
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
        samples = self._codec.decompress(data, ref.first, ref.samples)
        self.cache.put(ref, samples, data)
        return samples

    def retain(self, limit_bytes: int) -> None:
        """Removes the oldest files until the rest fits `limit_bytes`; the newest stays. Raises OSError."""
        while sum(self.sizes.values()) > limit_bytes and len(self.sizes) > 1:
            oldest = next(iter(self.sizes))
            del self.sizes[oldest]
            for series, refs in self.by_series.items():
                self.by_series[series] = [ref for ref in refs if ref.generation != oldest]
            self._files.remove(block_name(oldest))

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
        self.sizes[generation] = offset
        for ref in refs[:-1]:
            self.by_series.setdefault(ref.series, []).append(ref)


def _with_crc(head: bytes) -> bytes:
    return head + crc32(head).to_bytes(4, "little")
