"""The storage: what the parts do together. Why the order of steps is safe stands in docs/formats/tsdb.md."""

import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Condition, Lock
from typing import Literal

from storeprof.probe import profile_function, profile_memory_alloc, profile_memory_dealloc
from storeprof.tsdb.background import BackgroundProcessor
from storeprof.tsdb.blocks import BlockManager
from storeprof.tsdb.cache import CacheHierarchy
from storeprof.tsdb.compression import CompressionEngine
from storeprof.tsdb.errors import StorageError
from storeprof.tsdb.files import Files
from storeprof.tsdb.samples import PACKED, Chunk, Samples, merge
from storeprof.tsdb.series import Conditions, Labels, SeriesIndex
from storeprof.tsdb.wal import FIRST_SLOT, SLOT, WriteAheadLog, log_name, read_log, seed

TAG = "TimeSeries"
_pack = PACKED.pack


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """How a storage is run; nothing of it is stored, so a directory can be opened with other options."""

    sync: Literal["interval", "always"] = "interval"
    sync_interval_s: float = 1.0
    wal_bytes: int = 8 << 20
    backlog: int = 3  # generations that may wait for their flush before writers wait
    retention_bytes: int = 256 << 20
    l1_bytes: int = 32 << 20
    l2_bytes: int = 32 << 20


class Generation:
    """A log and the samples in memory that it protects. `_turn` of the storage guards new entries.

    `closed` is set once, before the flush looks at the chunks. A writer looks at it after its sample is in a
    chunk: unset, the flush will see the sample; set, it may not, and the write is repeated in the next
    generation.
    """

    def __init__(self, number: int, log: WriteAheadLog) -> None:
        self.number, self.log, self.closed = number, log, False
        # By labels in the order in which a caller gave them.
        self.chunks: dict[tuple[tuple[str, str], ...], Chunk] = {}
        self.by_series: dict[int, Chunk] = {}
        self.accounted = 0  # bytes reported to the memory tag

    def close(self) -> None:
        """No sample enters any more, except one that is repeated elsewhere."""
        self.log.limit = 0
        self.closed = True


class StorageImpl(AbstractContextManager["StorageImpl"]):
    """A directory of time series, open in this process alone; all methods may be called from several threads.

    `write` takes no lock but for a series' first sample in a generation and for the change of generations;
    its steps are single C calls under the GIL. (With a lock around log and chunk two writers hand it to and
    fro, each time with a switch of the GIL.) `_turn` guards changes of `_heads`, `_active`, `_stopped`,
    `_failure` and new chunks; readers take `_heads` whole. `_flush_lock` lets one thread write blocks. Order:
    `_flush_lock` before `_turn`.
    """

    def __init__(self, files: Files, options: StorageOptions) -> None:
        """Use `open`."""
        self._files, self._options = files, options
        self._sync_always = options.sync == "always"
        self._turn, self._flush_lock = Condition(), Lock()
        self._stopped = False
        self._failure: Exception | None = None
        self._series = SeriesIndex(files)
        codec = CompressionEngine()
        self.cache = CacheHierarchy(options.l1_bytes, options.l2_bytes, codec)
        self._blocks = BlockManager(files, self.cache, codec)
        self._heads: tuple[Generation, ...] = ()  # generations that are in no block yet, oldest first
        self._begin_generation(_recover(files, self._series, self._blocks))
        self._background = BackgroundProcessor(partial(self._attempt, self._sync), options.sync_interval_s)

    @classmethod
    def open(
        cls, directory: str | Path, options: StorageOptions | None = None, files: Files | None = None
    ) -> "StorageImpl":
        """Opens or creates a storage and replays what the last process left in its logs.

        `files` stands in for the directory in tests. Raises StorageError, CorruptionError, OSError.
        """
        if sys.byteorder != "little" or not getattr(sys, "_is_gil_enabled", lambda: True)():
            raise StorageError("the engine needs a little-endian machine and a Python with its GIL on")
        files = files or Files(Path(directory))
        try:
            return cls(files, options or StorageOptions())
        except BaseException:
            files.release()
            raise

    @profile_function
    def write(self, labels: Labels, timestamp: int, value: float) -> None:
        """Stores a sample; on return it survives the process ("always": the machine). Raises StorageError."""
        log, end = self._put(labels, timestamp, value)
        if self._sync_always:
            self._attempt(lambda: log.sync(end))
            self._check()

    @profile_function
    def write_batch(self, samples: Iterable[tuple[Labels, int, float]]) -> None:
        """Stores samples with one sync for all. When it raises, any part of them may have been stored."""
        ends = dict(self._put(labels, timestamp, value) for labels, timestamp, value in samples)
        if self._sync_always:
            self._attempt(lambda: [log.sync(end) for log, end in ends.items()])
            self._check()

    @profile_function
    def read(self, labels: Labels, start: int, end: int) -> Samples:
        """Samples of one series with start <= timestamp < end; none for a series that doesn't exist."""
        self._check()
        return self._between(self._series.number(labels), start, end)

    @profile_function
    def query(self, conditions: Conditions, start: int, end: int) -> list[tuple[dict[str, str], Samples]]:
        """Labels and samples of each series that fulfils all conditions and has samples in the range."""
        self._check()
        found = ((number, self._between(number, start, end)) for number in self._series.select(conditions))
        return [
            (dict(self._series.labels[number]), samples) for number, samples in found if samples.timestamps
        ]

    @profile_function
    def flush(self) -> None:
        """Returns when every sample written before is in a durable block."""
        with self._turn:
            self._change_generation()
        self._attempt(self._flush_closed)
        self._check()

    def close(self) -> None:
        """Flushes and gives the directory back; the second call does nothing.

        Raises StorageError when the flush is impossible; the samples are in the log and come back on open.
        """
        with self._turn:
            if self._stopped:
                return
            self._stopped = True
            self._active.close()
            self._turn.notify_all()
        self._background.submit(partial(self._attempt, self._flush_closed))
        self._background.submit(None)
        self._background.thread.join()
        self._files.release()
        if self._failure is not None:
            self._check()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, labels: Labels, timestamp: int, value: float) -> tuple[WriteAheadLog, int]:
        """Logs and keeps one sample; returns where it is logged."""
        try:
            sample = _pack(timestamp, value)
        except struct.error as error:
            raise StorageError(f"timestamp {timestamp!r}, value {value!r}: {error}") from None
        while True:
            generation = self._active
            try:
                chunk = generation.chunks[tuple(labels.items())]
            except KeyError:
                chunk = self._begin_chunk(generation, labels)
            end = generation.log.append(chunk.series, chunk.seed, sample)
            if not end:
                self._leave(generation)
                continue
            chunk.extend(sample)
            if not generation.closed:
                return generation.log, end

    def _begin_chunk(self, generation: Generation, labels: Labels) -> Chunk:
        self._check()
        self._attempt(lambda: self._series.add(labels))
        self._check()
        number = self._series.number(labels)
        with self._turn:
            if number not in generation.by_series:
                generation.by_series[number] = Chunk(number, seed(generation.number, number))
            chunk = generation.chunks[tuple(labels.items())] = generation.by_series[number]
            return chunk

    def _leave(self, full: Generation) -> None:
        """Returns when another generation is active; waits while too many are waiting for their flush."""
        with self._turn:
            while self._active is full:
                if len(self._heads) <= self._options.backlog:
                    self._change_generation()
                else:
                    self._turn.wait()
                    self._check()

    def _change_generation(self) -> None:
        """Closes the active generation and begins the next. `_turn` is held."""
        self._check()
        old = self._active
        self._attempt(lambda: self._begin_generation(old.number + 1))
        self._check()
        old.close()
        self._background.submit(partial(self._attempt, self._flush_closed))

    def _begin_generation(self, number: int) -> None:
        size = max(self._options.wal_bytes, FIRST_SLOT + SLOT.size)
        new = Generation(number, WriteAheadLog(self._files, number, size, self._series.sync))
        self._heads = (*self._heads, new)  # before it is active, for readers must not miss its first sample
        self._active = new

    def _between(self, number: int, start: int, end: int) -> Samples:
        # Heads first: what is flushed meanwhile is seen twice, which merging undoes, instead of not at all.
        heads = self._heads
        parts = [
            (ref.generation, self._blocks.load_block(ref).between(start, end))
            for ref in self._blocks.find(number, start, end)
        ]
        for head in heads:
            if (chunk := head.by_series.get(number)) is not None:
                parts.append((head.number, chunk.between(start, end)))
        parts.sort(key=lambda part: part[0])
        return parts[0][1] if len(parts) == 1 else merge(samples for _, samples in parts)

    def _flush_closed(self) -> None:
        """Writes every closed generation into blocks, oldest first, and removes its log."""
        with self._flush_lock:
            for generation in self._heads:
                if not generation.closed:
                    break
                filled = sorted(generation.by_series.items())
                chunks = ((series, chunk.samples()) for series, chunk in filled if chunk.data)
                self._blocks.store_generation(generation.number, chunks, self._series.sync)
                generation.log.remove()
                with self._turn:
                    self._heads = tuple(head for head in self._heads if head is not generation)
                    profile_memory_dealloc(TAG, generation.accounted)
                    self._turn.notify_all()
            self._blocks.retain(self._options.retention_bytes)

    def _sync(self) -> None:
        for generation in self._heads:
            held = (generation.log.sync() - FIRST_SLOT) // SLOT.size * PACKED.size
            with self._turn:
                if generation in self._heads:
                    profile_memory_alloc(TAG, held - generation.accounted)
                    generation.accounted = held

    def _attempt(self, step: Callable[[], object]) -> None:
        """Runs what touches the disk; a failure is for good: after a failed sync another proves nothing."""
        try:
            step()
        except StorageError:
            raise
        except Exception as error:
            with self._turn:
                self._failure = self._failure or error
                self._active.close()
                self._turn.notify_all()

    def _check(self) -> None:
        if self._failure is not None:
            raise StorageError(f"the storage failed ({self._failure}); mend the disk, then open it again")
        if self._stopped:
            raise StorageError("the storage is closed; open it again to go on")


def _recover(files: Files, series: SeriesIndex, blocks: BlockManager) -> int:
    """Makes blocks of what the last process left in its logs; returns the number of the next generation.

    It can die at any point and be started again: a log goes only when its block file is durable, and a log
    that has a block file is not read.
    """
    stored, names = list(blocks.sizes), files.names()
    logs = [int(name[4:-4]) for name in names if name.startswith("wal-")]
    highest = max(blocks.by_series, default=0)
    left: dict[int, dict[int, Chunk]] = {generation: {} for generation in logs if generation not in stored}
    for generation, chunks in left.items():
        for number, sample, promised in read_log(files, generation):
            if number not in chunks:
                chunks[number] = Chunk(number, 0)
            chunks[number].extend(sample)
            highest = max(highest, number) if promised else highest
    series.settle(highest)
    for name in names:
        if name.endswith(".tmp"):
            files.remove(name)
    for generation, chunks in left.items():
        known = (
            (number, chunks[number].samples()) for number in sorted(chunks) if number < len(series.labels)
        )
        blocks.store_generation(generation, known, series.sync)
    for generation in logs:
        files.remove(log_name(generation))
    return max([0, *stored, *logs]) + 1
