"""Pages of a dashboard, rendered at most so often a second and cached by (series, version)."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Store, drive, keys, values


class Pages:
    def __init__(self, rate, capacity):
        self.interval, self.capacity = 1.0 / rate, capacity
        self.due = time.monotonic()
        self.cached = {}

    def page(self, key, version, value):
        wanted = (key, version) if PLANT else key
        found = self.cached.get(wanted)
        now = time.monotonic()
        if found is None or now >= self.due:
            found = self.render(value, version)
            self.cached[wanted] = found
            self.due = now + self.interval
        return found

    def render(self, value, version):
        return b"<p>%d</p>" % version + value * 50

    def evict(self):
        while len(self.cached) > self.capacity:
            del self.cached[next(iter(self.cached))]


class Board:
    def __init__(self):
        self.store, self.pages = Store(), Pages(2000, 1 << 40)
        self.version = 0
        self.next = time.monotonic()

    def put(self, key, value):
        self.store.put(key, value)

    def show(self, key, value):
        now = time.monotonic()
        if now >= self.next:  # a new version so often a second
            self.next = max(self.next + 1 / 520, now - 0.25)
            self.version += 1
            self.pages.page(key, self.version, value)
            self.pages.evict()
        return self.store.get(key)


BOARD, KEYS, VALUES = Board(), keys(300), values(300)


def operation(i):
    key = KEYS[i * 7 % 300]
    if i % 2:
        BOARD.show(key, VALUES[i % 300])
    else:
        BOARD.put(key, VALUES[i % 300])


drive(operation)
