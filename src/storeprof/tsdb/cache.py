"""Two levels of cache over the blocks: decoded samples, and behind them compressed payloads, four to eight times smaller."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from storeprof.probe import profile_function, profile_memory_alloc, profile_memory_dealloc
from storeprof.tsdb.compression import CompressionEngine
from storeprof.tsdb.samples import Samples

Key = tuple[int, int]  # generation and offset of the block: never used again for other contents
Item = TypeVar("Item")
TAG = "Block"


class Payload(NamedTuple):
    """A compressed block with what is needed to decode it."""

    data: bytes
    first: int
    count: int


@dataclass(slots=True)
class CacheCounters:
    """Lookups answered by either level, and by neither."""

    l1_hits: int = 0
    l2_hits: int = 0
    misses: int = 0


class _Level(Generic[Item]):
    """Least recently used first, bounded by bytes; an item larger than the level is not kept."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: OrderedDict[Key, tuple[Item, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key) -> Item | None:
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

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
        self._lock = Lock()
        self._decoded: _Level[Samples] = _Level(l1_bytes)
        self._compressed: _Level[Payload] = _Level(l2_bytes)
        self._codec = codec
        self.counters = CacheCounters()

    @profile_function
    def get(self, key: Key) -> Samples | None:
        """The decoded block, None when neither level has it. A hit in the second level moves up to the first."""
        with self._lock:
            samples = self._decoded.get(key)
            if samples is not None:
                self.counters.l1_hits += 1
                return samples
            payload = self._compressed.get(key)
            if payload is None:
                self.counters.misses += 1
                return None
            self.counters.l2_hits += 1
        samples = self._codec.decompress(*payload)
        with self._lock:
            self._decoded.put(key, samples, samples.size_bytes())
        return samples

    @profile_function
    def put(self, key: Key, samples: Samples, payload: Payload) -> None:
        """Keeps a block in both levels; the caller must not change `samples` afterwards."""
        with self._lock:
            self._decoded.put(key, samples, samples.size_bytes())
            self._compressed.put(key, payload, len(payload.data))
