"""The storage: what the parts do together. The order of steps that makes it safe is told in docs/formats/tsdb.md."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock
from types import TracebackType
from typing import Literal, NamedTuple, NoReturn

from storeprof.probe import profile_function, profile_memory_alloc, profile_memory_dealloc
from storeprof.tsdb.background import BackgroundProcessor, Job
from storeprof.tsdb.blocks import BlockManager
from storeprof.tsdb.cache import CacheHierarchy
from storeprof.tsdb.compression import CompressionEngine
from storeprof.tsdb.errors import InvalidSample, StorageClosed, StorageError, StorageFailed
from storeprof.tsdb.files import Files
from storeprof.tsdb.head import Chunk, Generation
from storeprof.tsdb.matchers import Conditions
from storeprof.tsdb.replay import recover
from storeprof.tsdb.samples import PACKED, Samples, merge
from storeprof.tsdb.series import Labels, SeriesIndex
from storeprof.tsdb.wal import FIRST_SLOT, SLOT, WriteAheadLog

MIB = 1 << 20
TAG = "TimeSeries"
_pack = PACKED.pack


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """How a storage is run; nothing here is stored, so a directory can be opened with other options."""

    sync: Literal["interval", "always"] = "interval"
    sync_interval_s: float = 1.0
    wal_bytes: int = 8 * MIB
    backlog: int = 3
    retention_bytes: int = 256 * MIB
    l1_bytes: int = 32 * MIB
    l2_bytes: int = 32 * MIB


class SeriesSamples(NamedTuple):
    """One series of a query's result."""

    labels: dict[str, str]
    samples: Samples


class StorageImpl:
    """A directory of time series, open in this process alone; all methods may be called from several threads.

    `write` takes no lock but for the first sample of a series in a generation and for the change of generations: its steps
    are single C calls under the GIL. (With one lock around log and chunk, two writer threads hand it to and fro, each time
    with a switch of the GIL.) `_turn` guards the change of `_heads`, `_active`, `_stopped`, `_failure` and new chunks;
    readers take `_heads` whole. `_flush_lock` lets one thread write blocks. Order: `_flush_lock` before `_turn`.
    """

    def __init__(self, files: Files, options: StorageOptions) -> None:
        """Use `open`. `files` is locked by the caller."""
        self._files = files
        self._options = options
        self._sync_always = options.sync == "always"
        self._turn = Condition(Lock())
        self._flush_lock = Lock()
        self._stopped = False
        self._failure: Exception | None = None
        self._series = SeriesIndex(files)
        codec = CompressionEngine()
        self.cache = CacheHierarchy(options.l1_bytes, options.l2_bytes, codec)
        self._blocks = BlockManager(files, self.cache, codec)
        self._active = self._new_generation(recover(files, self._series, self._blocks))
        self._heads: tuple[Generation, ...] = (
            self._active,
        )  # generations that are in no block yet, oldest first
        jobs = {Job.SYNC: self._sync, Job.FLUSH: self._flush_closed}
        self._background = BackgroundProcessor(jobs, options.sync_interval_s, self._fail)

    @classmethod
    def open(
        cls, directory: str | Path, options: StorageOptions | None = None, files: Files | None = None
    ) -> StorageImpl:
        """Opens or creates a storage and replays what the last process left in its logs.

        `files` stands in for the directory in tests. Raises StorageLocked, CorruptionError, StorageError, OSError.
        """
        if sys.byteorder != "little" or not getattr(sys, "_is_gil_enabled", lambda: True)():
            raise StorageError("the engine needs a little-endian machine and a Python with its GIL on")
        files = files or Files(Path(directory))
        files.lock()
        try:
            return cls(files, options or StorageOptions())
        except BaseException:
            files.unlock()
            raise

    @profile_function
    def write(self, labels: Labels, timestamp: int, value: float) -> None:
        """Stores one sample; once this returns it survives the death of the process (and in "always" of the machine).

        Raises InvalidSample, StorageClosed, StorageFailed.
        """
        log, end = self._put(labels, timestamp, value)
        if self._sync_always:
            self._sync_log(log, end)

    @profile_function
    def write_batch(self, samples: Iterable[tuple[Labels, int, float]]) -> int:
        """Stores samples with one sync for all; returns how many. When it raises, any part may have been stored."""
        ends: dict[WriteAheadLog, int] = {}
        written = 0
        for labels, timestamp, value in samples:
            log, end = self._put(labels, timestamp, value)
            ends[log] = end
            written += 1
        if self._sync_always:
            for log, end in ends.items():
                self._sync_log(log, end)
        return written

    @profile_function
    def read(self, labels: Labels, start: int, end: int) -> Samples:
        """Samples of one series with start <= timestamp < end; empty for a series that doesn't exist."""
        self._check()
        number = self._series.find(labels)
        return merge(()) if number is None else self._between(number, start, end)

    @profile_function
    def query(self, conditions: Conditions, start: int, end: int) -> list[SeriesSamples]:
        """All series that fulfil every condition and have samples with start <= timestamp < end.

        A condition is a string (equal), a compiled pattern (matches the whole value) or a Matcher.
        """
        self._check()
        found = ((number, self._between(number, start, end)) for number in self._series.select(conditions))
        return [
            SeriesSamples(self._series.labels(number), samples)
            for number, samples in found
            if samples.timestamps
        ]

    @profile_function
    def flush(self) -> None:
        """Returns when every sample written before is in a durable block. Raises StorageClosed, StorageFailed."""
        with self._turn:
            self._check()
            self._change_generation()
        try:
            self._flush_closed()
        except OSError as error:
            self._fail(error)
        self._check()

    def close(self) -> None:
        """Flushes and gives the directory back; the second call does nothing.

        Raises StorageFailed when the flush is impossible; the samples are then in the log and come back on open.
        """
        with self._turn:
            if self._stopped:
                return
            self._stopped = True
            self._active.close()
            self._turn.notify_all()
        self._background.submit(Job.FLUSH)
        self._background.stop()
        self._files.unlock()
        if self._failure is not None:
            self._raise_failure()

    def __enter__(self) -> StorageImpl:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, labels: Labels, timestamp: int, value: float) -> tuple[WriteAheadLog, int]:
        """Logs and keeps one sample; returns where it is logged."""
        try:
            sample = _pack(timestamp, value)
        except struct.error as error:
            raise InvalidSample(f"timestamp {timestamp!r}, value {value!r}: {error}") from None
        while True:
            generation = self._active
            try:
                chunk = generation.chunks[tuple(labels.items())]
            except KeyError:
                chunk = self._begin_chunk(generation, labels)
            log = generation.log
            end = log.append(chunk.series, chunk.seed, sample)
            if not end:
                self._leave(generation)
                continue
            chunk.extend(sample)
            if not generation.closed:
                return log, end

    def _begin_chunk(self, generation: Generation, labels: Labels) -> Chunk:
        self._check()
        number = self._series.number(labels)
        with self._turn:
            chunk = generation.by_series.get(number)
            if chunk is None:
                chunk = generation.by_series[number] = Chunk(generation.number, number)
            generation.chunks[tuple(labels.items())] = chunk
        return chunk

    def _leave(self, full: Generation) -> None:
        """Returns when another generation is active; waits while too many are waiting for their flush."""
        with self._turn:
            while self._active is full:
                self._check()
                if len(self._heads) <= self._options.backlog:
                    self._change_generation()
                else:
                    self._turn.wait()

    def _change_generation(self) -> None:
        """Closes the active generation and begins the next. `_turn` is held."""
        old = self._active
        try:
            new = self._new_generation(old.number + 1)
        except OSError as error:
            self._fail_held(error)
            self._raise_failure()
        self._heads = (*self._heads, new)
        self._active = new
        old.close()
        self._background.submit(Job.FLUSH)

    def _new_generation(self, number: int) -> Generation:
        size = max(self._options.wal_bytes, FIRST_SLOT + SLOT.size)
        return Generation(number, WriteAheadLog(self._files, number, size, self._series.sync))

    def _between(self, number: int, start: int, end: int) -> Samples:
        # Heads first: what is flushed in between is then seen twice, which merging undoes, instead of not at all.
        heads = self._heads
        parts = [
            (ref.home.generation, self._blocks.load_block(ref))
            for ref in self._blocks.find(number, start, end)
        ]
        parts = [(generation, samples.between(start, end)) for generation, samples in parts]
        for head in heads:
            chunk = head.by_series.get(number)
            if chunk is not None:
                parts.append((head.number, chunk.between(start, end)))
        if len(parts) == 1:
            return parts[0][1]
        parts.sort(key=lambda part: part[0])
        return merge(samples for _, samples in parts)

    def _flush_closed(self) -> None:
        """Writes every closed generation into blocks, oldest first, and removes its log."""
        with self._flush_lock:
            for generation in self._heads:
                if not generation.closed:
                    return
                chunks = ((series, chunk.samples()) for series, chunk in sorted(generation.by_series.items()))
                self._blocks.store_generation(generation.number, chunks, self._series.sync)
                generation.log.remove()
                with self._turn:
                    self._heads = tuple(head for head in self._heads if head is not generation)
                    profile_memory_dealloc(TAG, generation.accounted)
                    self._turn.notify_all()
                self._blocks.retain(self._options.retention_bytes)

    def _sync(self) -> None:
        for generation in self._heads:
            watermark = generation.log.sync()
            held = (watermark - FIRST_SLOT) // SLOT.size * PACKED.size
            with self._turn:
                if generation in self._heads:
                    profile_memory_alloc(TAG, held - generation.accounted)
                    generation.accounted = held

    def _sync_log(self, log: WriteAheadLog, end: int) -> None:
        try:
            log.sync(end)
        except OSError as error:
            self._fail(error)
            self._raise_failure()

    def _fail(self, error: Exception) -> None:
        with self._turn:
            self._fail_held(error)

    def _fail_held(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._active.close()
        self._turn.notify_all()

    def _check(self) -> None:
        if self._failure is not None:
            self._raise_failure()
        if self._stopped:
            raise StorageClosed("the storage is closed; open it again to go on")

    def _raise_failure(self) -> NoReturn:
        raise StorageFailed(
            f"the storage failed ({self._failure}); free the disk or mend it, then open again"
        ) from self._failure
