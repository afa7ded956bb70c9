import heapq
import os
import tempfile
import time
from contextlib import contextmanager
from operator import itemgetter

from lsm import codec
from lsm.cache import BlockCache
from lsm.memtable import MemTable
from lsm.sstable import SSTable
from lsm.wal import WriteAheadLog

RUN_SECONDS = float(os.environ.get("RUN_SECONDS", "8"))
PLANT = os.environ.get("PLANT", "1") != "0"
PUT, DELETE = 1, 2
first = itemgetter(0)


class Engine:
    """Put, get and compaction over a log, a memtable and sorted tables."""

    def __init__(self, folder, memtable_bytes=400_000, cache_blocks=512, most_tables=6):
        self.folder = folder
        self.memtable_bytes = memtable_bytes
        self.most_tables = most_tables
        self.log = WriteAheadLog(folder)
        self.memtable = MemTable()
        self.tables = []
        self.cache = BlockCache(cache_blocks)
        self.sequence = 0
        self.made = 0

    def put(self, key, value):
        entry = codec.pack_entry(self.next_sequence(), PUT, key, value)
        self.log.append(entry)
        self.memtable.add(key, entry)
        if self.memtable.bytes >= self.memtable_bytes:
            self.flush()

    def next_sequence(self):
        self.sequence += 1
        return self.sequence

    def get(self, key):
        entry = self.memtable.find(key)
        if entry is None:
            entry = self.search(key)
        return None if entry is None else self.value_of(entry)

    def value_of(self, entry):
        kind, value = codec.kind_and_value(entry)
        return value if kind == PUT else None

    def search(self, key):
        for table in reversed(self.tables):
            number = table.fences.block_of(key)
            if number >= 0 and (entry := self.block(table, number).get(key)) is not None:
                return entry
        return None

    def block(self, table, number):
        rows = self.cache.get((table.path, number))
        if rows is None:
            rows = self.load(table, number)
        return rows

    def load(self, table, number):
        rows = table.read(number)
        self.cache.put((table.path, number), rows)
        return rows

    def flush(self):
        full, self.memtable = self.memtable, MemTable()
        self.add_table(full.in_order())
        if self.made % 4 == 0:
            self.compact()
        if len(self.tables) > self.most_tables:
            self.tables.pop(0).drop()

    def add_table(self, rows):
        self.tables.append(SSTable.build(os.path.join(self.folder, f"{self.made:06d}.sst"), rows))
        self.made += 1

    def compact(self):
        """Merge the two newest tables; the oldest ones go by age."""
        old, self.tables = self.tables[-2:], self.tables[:-2]
        merged = dict(heapq.merge(*(table.rows() for table in old), key=first))
        self.add_table(list(merged.items()))
        for table in old:
            table.drop()

    def close(self):
        self.log.close()
        for table in self.tables:
            table.drop()


@contextmanager
def scratch():
    """A folder beside the program for its files."""
    with tempfile.TemporaryDirectory(prefix="data-", dir=".") as folder:
        yield folder


def until_time_is_up(batch=50):
    """Numbers of operations until the run is over; prints how many there were."""
    start = time.monotonic()
    done = 0
    while time.monotonic() < start + RUN_SECONDS:
        yield from range(done, done + batch)
        done += batch
    print(f"ops={done} seconds={time.monotonic() - start:.3f}", flush=True)
