"""Two levels of cache over the blocks: decoded samples, and behind them the compressed payloads."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

from storeprof.probe import profile_function, profile_memory_alloc, profile_memory_dealloc
from storeprof.tsdb.compression import CompressionEngine
from storeprof.tsdb.samples import Samples

Key = tuple[int, int]  # generation and offset of the block: never used again for other contents
Payload = tuple[bytes, int, int]  # compressed block, first timestamp, count
Item = TypeVar("Item")
TAG = "Block"


class _Level(Generic[Item]):
    """Least recently used goes first; bounded by bytes."""

    def __init__(self, capacity: int) -> None:
        self._items: OrderedDict[Key, tuple[Item, int]] = OrderedDict()
        self._capacity, self._bytes = capacity, 0

    def get(self, key: Key) -> Item | None:
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key][0]

    def put(self, key: Key, item: Item, size: int) -> None:
        if key in self._items or size > self._capacity:
            return
        self._items[key] = (item, size)
        self._bytes += size
        profile_memory_alloc(TAG, size)
        while self._bytes > self._capacity:
            _, (_, freed) = self._items.popitem(last=False)
            self._bytes -= freed
            profile_memory_dealloc(TAG, freed)


class CacheHierarchy:
    """Blocks by key. `_lock` guards both levels and the counters; decoding is done outside it."""

    def __init__(self, l1_bytes: int, l2_bytes: int, codec: CompressionEngine) -> None:
        self._lock, self._codec = Lock(), codec
        self._decoded: _Level[Samples] = _Level(l1_bytes)
        self._compressed: _Level[Payload] = _Level(l2_bytes)
        self.l1_hits = self.l2_hits = self.misses = 0

    @profile_function
    def get(self, key: Key) -> Samples | None:
        """The decoded block, None when neither level has it. A hit in the second level enters the first."""
        with self._lock:
            samples = self._decoded.get(key)
            payload = self._compressed.get(key) if samples is None else None
            self.l1_hits += samples is not None
            self.l2_hits += payload is not None
            self.misses += samples is None and payload is None
        if payload is not None:
            samples = self._codec.decompress(*payload)
            self.put(key, samples, payload)
        return samples

    @profile_function
    def put(self, key: Key, samples: Samples, payload: Payload) -> None:
        """Keeps a block in both levels; nobody may change `samples` afterwards."""
        with self._lock:
            self._decoded.put(key, samples, 16 * payload[2])
            self._compressed.put(key, payload, len(payload[0]))
