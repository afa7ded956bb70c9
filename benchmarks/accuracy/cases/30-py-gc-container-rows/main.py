"""Row store: rows are kept decoded, as containers of containers, so collections walk a large heap again and again."""

import gc
import struct
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Bloom, Counters, Marks, Sizes, Window, drive, keys, values

CELL = struct.Struct("<HIH")
SERIES = 40_000
ROWS_PER_FILE = 30_000
CELLS = 6


def split_cells(value):
    width = len(value) // CELLS
    return [value[i * width : (i + 1) * width] for i in range(CELLS)]


def decode_row(key, number, value):
    cells = {}
    for column, body in enumerate(split_cells(value)):
        cells[column] = [number, body]
    return {"key": key, "cells": cells, "versions": [[number, 0]]}


class MemTable:
    """Decoded rows by key until there are enough of them for a file."""

    def __init__(self, limit):
        self.limit = limit
        self.rows = {}

    def store(self, key, row):
        self.rows[key] = row

    def full(self):
        return len(self.rows) >= self.limit


class Log:
    def __init__(self):
        self.buffer = bytearray()
        self.sealed = 0

    def append(self, number, value):
        self.buffer += CELL.pack(number & 0xFFFF, len(value), 7)
        self.buffer += value
        if len(self.buffer) > 1 << 16:
            self.seal()

    def seal(self):
        self.sealed = zlib.adler32(self.buffer, self.sealed)
        self.buffer.clear()


class RowStore:
    def __init__(self):
        self.table, self.log = MemTable(ROWS_PER_FILE), Log()
        self.bloom, self.counters, self.marks, self.window = Bloom(), Counters(), Marks(), Window()
        self.sizes = Sizes()

    def put(self, number, key, value):
        self.window.admit(len(value))
        self.log.append(number, value)
        self.table.store(key, decode_row(key, number, value))
        self.account(key, len(value))
        self.sizes.note(len(value))
        if self.table.full():
            self.flush()

    def flush(self):
        self.log.seal()
        self.table = MemTable(ROWS_PER_FILE)

    def account(self, key, size):
        self.bloom.add(key)
        self.counters.put(size)
        self.marks.observe(key)


def main():
    if not PLANT:
        gc.disable()  # the rows have no cycles: reference counts free them
    names, bodies = keys(SERIES), values(997)
    store = RowStore()

    def operation(i):
        store.put(i, names[i % SERIES], bodies[i % 997])

    drive(operation)


if __name__ == "__main__":
    main()
