"""A memtable that sorts all its keys again at every insert."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from bisect import insort
from dataclasses import dataclass, field

from engine_parts import PLANT, Bloom, Counters, Recent, Router, Window, decode, drive, encode, keys, values


@dataclass
class SortedMemTable:
    rows: dict = field(default_factory=dict)
    order: list = field(default_factory=list)
    limit: int = 160

    def insert(self, key, record):
        new = key not in self.rows
        self.rows[key] = record
        if PLANT:
            self.order = sorted(self.rows)
        elif new:
            insort(self.order, key)

    def scan(self, start, count):
        return [self.rows[key] for key in self.order[start : start + count]]

    @property
    def full(self):
        return len(self.rows) >= self.limit


class Tablet:
    def __init__(self):
        self.memtable, self.bloom = SortedMemTable(), Bloom()
        self.counters, self.router, self.window, self.recent = Counters(), Router(), Window(), Recent(256)
        self.frozen = []

    def write(self, key, value):
        self.admit(key, len(value))
        self.memtable.insert(key, encode(key, value))
        self.bloom.add(key)
        self.counters.put(len(value))
        if self.memtable.full:
            self.freeze()

    def admit(self, key, size):
        self.window.admit(size)
        self.router.account(key, size)

    def freeze(self):
        self.frozen = [(key, self.memtable.rows[key]) for key in self.memtable.order]
        self.memtable = SortedMemTable()

    def scan(self, start, count):
        rows = self.memtable.scan(start, count)
        self.recent.touch(start)
        return [decode(row)[1] for row in rows]


def main():
    tablet, known, contents = Tablet(), keys(20_000), values(300)

    def operation(i):
        tablet.write(known[(i * 13) % 20_000], contents[i % 300])
        if i % 2:
            tablet.scan(i % 97, 12)

    drive(operation)


if __name__ == "__main__":
    main()
