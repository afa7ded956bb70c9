"""Resident memory rises while the cache warms up, and in a sawtooth with every memtable."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import Store, drive, keys, values


class PageCache:
    """The oldest page goes when a new one would be too many."""

    def __init__(self, capacity, rate):
        self.capacity, self.interval = capacity, 1.0 / rate
        self.pages = {}
        self.due = time.monotonic()

    def fetch(self, number, row):
        page = self.pages.get(number)
        if page is None and self.may_read():
            page = self.pages[number] = self.read(row)
            self.evict()
        return page

    def may_read(self):
        now = time.monotonic()
        if now < self.due:
            return False
        self.due = max(self.due + self.interval, now - 0.25)
        return True

    def read(self, row):
        return row * 64

    def evict(self):
        if len(self.pages) > self.capacity:
            del self.pages[next(iter(self.pages))]


class Tables:
    """The open memtable, and how many were flushed."""

    def __init__(self, limit):
        self.limit = limit
        self.open = {}
        self.flushed = 0

    def insert(self, number, row):
        self.open[number] = (row, row[::-1])
        if len(self.open) >= self.limit:
            self.flush()

    def flush(self):
        self.open = {}
        self.flushed += 1


STORE, KEYS, VALUES = Store(), keys(3000), values(500)
CACHE, TABLES = PageCache(2400, 900), Tables(40_000)


def read(i, key, value):
    STORE.get(key)
    CACHE.fetch(i * 17 % 5000, value)


def write(i, key, value):
    STORE.put(key, value)
    TABLES.insert(i, value)


def operation(i):
    (read if i % 3 else write)(i, KEYS[i * 31 % 3000], VALUES[i % 500])


drive(operation)
