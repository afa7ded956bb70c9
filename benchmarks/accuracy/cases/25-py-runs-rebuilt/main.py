"""A read wants the newest version of a key; it builds (version, row) pairs of the whole run to take the last one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Store, drive, keys, values


class Runs:
    def __init__(self, count, length):
        self.runs = [[b"%06d" % (i * count + n) for i in range(length)] for n in range(count)]

    def rows(self, number):
        return [(version, bytes(row)) for version, row in enumerate(self.runs[number])]

    def newest(self, number):
        if PLANT:
            return self.rows(number)[-1]
        run = self.runs[number]
        return len(run) - 1, run[-1]


STORE, RUNS, KEYS, VALUES = Store(), Runs(16, 60), keys(2000), values(400)


def operation(i):
    STORE.put(KEYS[i % len(KEYS)], VALUES[i % len(VALUES)])
    RUNS.newest(i % 16)
    STORE.get(KEYS[i * 13 % len(KEYS)])


drive(operation)
