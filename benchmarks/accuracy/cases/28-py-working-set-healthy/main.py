"""Two seconds of loading, slower and slower; then a steady load beside a ring of the latest results."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import Store, drive, keys, values


class WorkingSet:
    """Loaded in steps between the first operations."""

    def __init__(self, seconds, size):
        self.until = time.monotonic() + seconds
        self.size = size
        self.rows = {}

    def load_step(self):
        if len(self.rows) < self.size and time.monotonic() < self.until:
            at = len(self.rows)
            for i in range(at, at + 12):
                self.rows[i] = (b"%08d" % i) * 40


class Latest:
    def __init__(self, size):
        self.ring = [None] * size
        self.at = 0

    def keep(self, key, row):
        self.ring[self.at] = (key, row[0] + b"=" + row[1] * 3 if row else b"")
        self.at = (self.at + 1) % len(self.ring)


STORE, KEYS, VALUES = Store(), keys(3000), values(500)
WORKING_SET, LATEST = WorkingSet(2.0, 120_000), Latest(4000)


def read(key):
    LATEST.keep(key, STORE.get(key))


def write(i, key):
    WORKING_SET.load_step()
    STORE.put(key, VALUES[i % 500])


def operation(i):
    key = KEYS[i * 31 % 3000]
    if i % 3:
        read(key)
    else:
        write(i, key)


drive(operation)
