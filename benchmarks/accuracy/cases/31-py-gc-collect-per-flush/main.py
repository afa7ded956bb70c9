"""Log-structured store that collects garbage after every flush, "to keep memory flat", over a large block index."""

import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Store, decode, drive, encode, keys, values

BLOCKS = 60_000
FLUSH_EVERY = 6_000


class BlockIndex:
    """Where each block of each file begins."""

    def __init__(self, blocks):
        self.entries = {number: [number * 4096, [number & 63, b"first-%d" % number]] for number in range(blocks)}

    def locate(self, number):
        offset, (file, _) = self.entries[number % BLOCKS]
        return file, offset


class FlushingStore:
    def __init__(self):
        self.store, self.index = Store(), BlockIndex(BLOCKS)
        self.pending = 0

    def put(self, number, key, value):
        self.store.put(key, value)
        self.index.locate(number)
        self.pending += 1
        if self.pending == FLUSH_EVERY:
            self.flush()

    def flush(self):
        for record in self.sealed_records():
            decode(record)
        self.release_memory()
        self.pending = 0

    def sealed_records(self):
        return [encode(b"flushed", b"x" * 64) for _ in range(32)]

    def release_memory(self):
        self.store.trace.kept.clear()
        if PLANT:
            gc.collect()


def main():
    names, bodies = keys(3000), values(997)
    store = FlushingStore()

    def operation(i):
        store.put(i, names[i % 3000], bodies[i % 997])

    drive(operation)


if __name__ == "__main__":
    main()
