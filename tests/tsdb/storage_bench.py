"""A small vocabulary for tests about what a storage keeps."""

import time
from itertools import count

from memory_files import MemoryFiles

from storeprof.tsdb import StorageImpl, StorageOptions

ALL = (-(1 << 63), (1 << 63) - 1)
NEVER_S = 3600.0


def contents(storage):
    """Everything in a storage: {(label items, timestamp): value}."""
    found = {}
    for labels, samples in storage.query({}, *ALL):
        for timestamp, value in zip(samples.timestamps, samples.values, strict=True):
            key = (tuple(sorted(labels.items())), timestamp)
            assert key not in found, "a sample is in the result twice"
            found[key] = value
    return found


def wait_until(condition, seconds=20.0):
    """Polls a condition with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.001)


class Bench:
    """A storage on the faulty twin, and what was acknowledged to its writer."""

    def __init__(self, files=None, **options):
        self.files = files or MemoryFiles()
        self.options = StorageOptions(**{"sync_interval_s": NEVER_S, "wal_bytes": 4096, **options})
        self.acknowledged = {}
        self.attempted = {}
        self.clock = count(1)
        self.storage = StorageImpl.open("", self.options, files=self.files)

    def write(self, samples=1, series=3):
        """Writes samples with rising timestamps, in turn to several series."""
        for _ in range(samples):
            timestamp = next(self.clock)
            labels = {"series": str(timestamp % series)}
            key = (tuple(labels.items()), timestamp)
            self.attempted[key] = timestamp * 0.5
            self.storage.write(labels, timestamp, timestamp * 0.5)
            self.acknowledged[key] = timestamp * 0.5

    def after_crash(self, seed=None):
        """What a new storage finds on the files that the crash left."""
        with StorageImpl.open("", self.options, files=self.files.crash(seed)) as storage:
            return contents(storage)


def log_left_behind(synced, unsynced=0):
    """Files as a dead process left them: one log with so many samples below its watermark and above it."""
    files = MemoryFiles()
    storage = StorageImpl.open("", StorageOptions(sync="always", sync_interval_s=NEVER_S), files=files)
    for timestamp in range(synced):
        storage.write({"series": "a"}, timestamp, timestamp * 0.5)
    node = files.nodes["wal-00000001.log"]
    durable = node.durable
    for timestamp in range(synced, synced + unsynced):
        storage.write({"series": "a"}, timestamp, timestamp * 0.5)
    left = files.crash()
    # The header goes back to the moment before the unsynced ones, as page and header are written apart.
    header = bytes(node.now)[:64] if not unsynced else durable[:64]
    left.nodes["wal-00000001.log"].now[:] = header + bytes(node.now)[64:]
    return left
