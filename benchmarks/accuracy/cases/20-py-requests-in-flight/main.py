"""A service in front of the store keeps a table of requests in flight: many small objects a request."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Store, drive, keys, values


class Request:
    __slots__ = ("key", "kind", "started", "waits")

    def __init__(self, kind, key, started):
        self.kind, self.key, self.started = kind, key, started
        self.waits = [started]


class InFlight:
    """By number; the slow ones are reported by a watchdog that looks through the table."""

    def __init__(self, rate):
        self.table = {}
        self.interval = 1.0 / rate
        self.due = time.monotonic()
        self.number = 0

    def begin(self, kind, key):
        now = time.monotonic()
        if now < self.due:
            return None  # only so many a second are followed
        self.due = max(self.due + self.interval, now - 0.25)
        self.number += 1
        self.table[self.number] = Request(kind, b"%s#%d" % (key, self.number), now)
        return self.number

    def end(self, number):
        if number is not None:
            self.table.pop(number, None)


class Service:
    def __init__(self):
        self.store = Store()
        self.in_flight = InFlight(4500)

    def put(self, key, value):
        number = self.in_flight.begin("put", key)
        self.store.put(key, value)
        self.in_flight.end(number)

    def get(self, key):
        number = self.in_flight.begin("get", key)
        row = self.store.get(key)
        if row is None or not PLANT:
            self.in_flight.end(number)
        return row


SERVICE, KEYS, VALUES = Service(), keys(3000), values(500)


def operation(i):
    if i % 4:
        SERVICE.get(KEYS[i * 31 % 3000])
    else:
        SERVICE.put(KEYS[i // 4 % len(KEYS)], VALUES[i % 500])


drive(operation)
