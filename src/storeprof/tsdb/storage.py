"""The storage and its thread. Why the order of steps is safe stands in docs/formats/tsdb.md."""

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Condition, Lock, Thread
from typing import Literal

from storeprof.probe import profile_function, profile_memory_alloc, profile_memory_dealloc
from storeprof.tsdb.blocks import BlockManager
from storeprof.tsdb.files import Files, StorageError
from storeprof.tsdb.samples import PACKED, Chunk, Samples, merge, unpack
from storeprof.tsdb.series import Conditions, Items, Labels, SeriesIndex
from storeprof.tsdb.wal import WriteAheadLog, log_name, read_log, seed

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


@dataclass(eq=False, slots=True)
class Generation:
    """A log and the samples in memory that it protects.

    The log is sealed before the flush looks at the chunks. A writer that finds it sealed after its sample is
    in a chunk can't know whether the flush saw the sample, and repeats the write in the next generation.
    """

    log: WriteAheadLog
    chunks: dict[Items, Chunk] = field(default_factory=dict)  # by labels in the order a caller gave them
    by_series: dict[int, Chunk] = field(default_factory=dict)
    accounted: int = 0  # bytes reported to the memory tag


class BackgroundProcessor:
    """Runs jobs in their order, and `sync` after each and when there was none for `interval_s`."""

    def __init__(self, sync: Callable[[], object], interval_s: float) -> None:
        self._sync, self._interval_s = sync, interval_s
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.submit = self._queue.put  # None ends the thread, after the jobs before it
        self.thread = Thread(target=self._run, name="tsdb-background", daemon=True)
        self.thread.start()

    @profile_function
    def process(self, job: Callable[[], object]) -> None:
        """Runs one job, which may raise StorageError: the storage keeps it for its callers."""
        with suppress(StorageError):
            job()

    def _run(self) -> None:
        while True:
            with suppress(Empty):
                job = self._queue.get(timeout=self._interval_s)
                if job is None:
                    return
                self.process(job)
            self.process(self._sync)  # behind each job too: a queue that never empties must not delay it


class StorageImpl(AbstractContextManager["StorageImpl"]):
    """A directory of time series, open in this process alone; all methods may be called from several threads.

    `write` takes no lock but for a new series and the change of generations; its steps are single C calls
    under the GIL. (A lock around log and chunk goes to and fro between two writers, each time with a switch
    of the GIL.) `_turn` guards changes of `_heads` and `_active` and is taken inside `_flush_lock`, by which
    one thread at a time syncs by the clock or writes blocks; readers take `_heads` whole.
    """

    def __init__(self, files: Files, options: StorageOptions) -> None:
        self._files, self._options, self._sync_always = files, options, options.sync == "always"
        self._turn, self._flush_lock, self._stopped = Condition(), Lock(), False
        self._failure: Exception | None = None
        self._series = SeriesIndex(files)
        self._blocks = BlockManager(files, options.l1_bytes, options.l2_bytes, self._series.sync)
        self.cache = self._blocks.cache
        self._heads: tuple[Generation, ...] = ()  # generations that are in no block yet, oldest first
        self._begin_generation(_recover(files, self._series, self._blocks))
        self._flush_job = partial(self._attempt, self._flush_sealed)
        self._background = BackgroundProcessor(partial(self._attempt, self._sync), options.sync_interval_s)

    @classmethod
    def open(
        cls, directory: str | Path, options: StorageOptions | None = None, files: Files | None = None
    ) -> "StorageImpl":
        """Opens or creates a storage and replays what is left in its logs. Raises StorageError, OSError."""
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
            self._attempt(partial(log.sync, end))

    @profile_function
    def write_batch(self, samples: Iterable[tuple[Labels, int, float]]) -> None:
        """Stores samples with one sync for all. When it raises, any part of them may have been stored."""
        ends = dict(self._put(labels, timestamp, value) for labels, timestamp, value in samples)
        if self._sync_always:
            self._attempt(lambda: [log.sync(end) for log, end in ends.items()])

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
        return [(dict(self._series.labels[number]), held) for number, held in found if held.timestamps]

    @profile_function
    def flush(self) -> None:
        """Returns when every sample written before is in a durable block."""
        with self._turn:
            self._change_generation()
        self._flush_job()

    def close(self) -> None:
        """Flushes and gives the directory back, once. What a StorageError leaves unflushed is in the log."""
        with self._turn:
            if self._stopped:
                return
            self._stopped = True
            self._active.log.limit = 0
            self._turn.notify_all()
        self._background.submit(self._flush_job)
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
            log = generation.log
            try:
                chunk = generation.chunks[tuple(labels.items())]
            except KeyError:
                chunk = self._begin_chunk(generation, labels)
            end = log.append(chunk.series, chunk.seed, sample)
            if not end:
                self._leave(generation)
                continue
            chunk.extend(sample)
            if log.limit:
                return log, end

    def _begin_chunk(self, generation: Generation, labels: Labels) -> Chunk:
        self._check()
        for name, value in labels.items():
            if not isinstance(name, str) or not isinstance(value, str) or not name:
                raise StorageError(f"label {name!r}={value!r}: both are strings, and the name is not empty")
        self._attempt(partial(self._series.add, labels))
        number = self._series.number(labels)
        new = Chunk(number, seed(generation.log.generation, number))
        chunk = generation.chunks[tuple(labels.items())] = generation.by_series.setdefault(number, new)
        return chunk

    def _leave(self, full: Generation) -> None:
        """Returns when another generation is active; waits while too many are waiting for their flush."""
        with self._turn:
            while self._active is full and len(self._heads) > self._options.backlog:
                self._check()
                self._turn.wait()
            if self._active is full:
                self._change_generation()

    def _change_generation(self) -> None:
        """Seals the active generation and begins the next. `_turn` is held."""
        self._check()
        old = self._active
        self._attempt(partial(self._begin_generation, old.log.generation + 1))
        old.log.limit = 0
        self._background.submit(self._flush_job)

    def _begin_generation(self, number: int) -> None:
        new = Generation(WriteAheadLog(self._files, number, self._options.wal_bytes, self._series.sync))
        self._heads = (*self._heads, new)  # before it is active, for readers must not miss its first sample
        self._active = new

    def _between(self, number: int, start: int, end: int) -> Samples:
        # Heads are taken first and looked at last: what is flushed meanwhile is seen twice, not missed, and
        # a head holds all that its block does, so that in the merge the last write wins.
        heads = self._heads
        load, refs = self._blocks.load_block, self._blocks.by_series.get(number, ())
        parts = [load(ref).between(start, end) for ref in refs if start <= ref.last and ref.first < end]
        parts += [chunk.between(start, end) for head in heads if (chunk := head.by_series.get(number))]
        return parts[0] if len(parts) == 1 else merge(parts)

    def _flush_sealed(self) -> None:
        """Writes every sealed generation into blocks, oldest first, and removes its log."""
        with self._flush_lock:
            for generation in self._heads:
                if generation.log.limit:
                    break
                filled = sorted(generation.by_series.copy().items())
                chunks = ((series, unpack(chunk.data)) for series, chunk in filled if chunk.data)
                self._blocks.store_generation(generation.log.generation, chunks)
                self._files.remove(log_name(generation.log.generation))
                with self._turn:
                    self._heads = tuple(head for head in self._heads if head is not generation)
                    profile_memory_dealloc(TAG, generation.accounted)
                    self._turn.notify_all()
            self._blocks.retain(self._options.retention_bytes)

    def _sync(self) -> None:
        with self._flush_lock:  # what is accounted for here must not be flushed and forgotten meanwhile
            for generation in self._heads:
                held = generation.log.sync() * PACKED.size
                profile_memory_alloc(TAG, held - generation.accounted)
                generation.accounted = held

    def _attempt(self, step: Callable[[], object]) -> None:
        """Runs what touches the disk; a failure is for good: after a failed sync another proves nothing."""
        try:
            step()
        except Exception as error:
            with self._turn:
                self._failure = self._failure or error
                self._active.log.limit = 0
                self._turn.notify_all()
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise StorageError(f"the storage failed ({self._failure}); mend the disk, then open it again")
        if self._stopped:
            raise StorageError("the storage is closed; open it again to go on")


def _recover(files: Files, series: SeriesIndex, blocks: BlockManager) -> int:
    """Makes blocks of what the last process left in its logs; returns the number of the next generation.

    It can die at any point: a log goes only when its block file is durable, and one that has it isn't read.
    """
    logs = [int(name[4:-4]) for name in files.names() if name.startswith("wal-")]
    stored, highest = list(blocks.sizes), max(blocks.by_series, default=0)
    left = {number: defaultdict[int, bytearray](bytearray) for number in logs if number not in stored}
    for generation, chunks in left.items():
        for number, sample, promised in read_log(files, generation):
            chunks[number] += sample
            highest = max(highest, number) if promised else highest
    series.settle(highest)
    for generation, chunks in left.items():
        known = sorted(item for item in chunks.items() if item[0] < len(series.labels))
        blocks.store_generation(generation, ((number, unpack(data)) for number, data in known))
    for name in files.names():
        if name.endswith(".tmp") or name.startswith("wal-"):
            files.remove(name)
    return max([0, *stored, *logs]) + 1
