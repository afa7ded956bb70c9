"""A block store read past the page cache, one small block at a time, without a cache of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import mmap
import os

from engine_parts import PLANT, Store, drive, keys, values
from lsm.cache import BlockCache
from lsm.engine import scratch

BLOCK, BLOCKS = 4096, 4096


class BlockFile:
    def __init__(self, folder):
        self.path = os.path.join(folder, "blocks")
        with open(self.path, "wb") as file:
            for number in range(BLOCKS):
                file.write(b"%08d" % number * (BLOCK // 8))
            os.fsync(file.fileno())
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECT)
        self.page = mmap.mmap(-1, BLOCK)

    def read(self, number):
        os.preadv(self.fd, [self.page], number * BLOCK)
        return self.page[:64]


class Reader:
    def __init__(self, file):
        self.file = file
        self.cache = BlockCache(BLOCKS)

    def fetch(self, number):
        if PLANT:
            return self.file.read(number)
        block = self.cache.get(number)
        if block is None:
            block = self.file.read(number)
            self.cache.put(number, block)
        return block


def main():
    known, contents, store = keys(5000), values(500), Store()
    with scratch() as folder:
        reader = Reader(BlockFile(folder))

        def operation(i):
            if i % 4 == 0:
                store.put(known[i % 5000], reader.fetch((i * 7919) % 400))
            else:
                store.put(known[i % 5000], contents[i % 500])
            store.get(known[(i * 13) % 5000])

        drive(operation)


if __name__ == "__main__":
    main()
