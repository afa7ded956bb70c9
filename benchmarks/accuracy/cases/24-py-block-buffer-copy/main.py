"""Blocks of 112 KiB are filled part by part; bytes can't grow in place."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Store, drive, keys, values


class OpenBlock:
    def __init__(self, limit):
        self.limit = limit
        self.sealed = 0
        self.reset()

    def reset(self):
        self.data = b"" if PLANT else bytearray()

    def append(self, record):
        self.data = self.data + record if PLANT else self.extended(record)
        if len(self.data) >= self.limit:
            self.seal()

    def extended(self, record):
        self.data += record
        return self.data

    def seal(self):
        self.sealed += 1
        self.reset()


STORE, BLOCK, KEYS, VALUES = Store(), OpenBlock(112 * 1024), keys(2000), values(400)


def operation(i):
    key, value = KEYS[i % len(KEYS)], VALUES[i % len(VALUES)]
    STORE.put(key, value)
    BLOCK.append(key)
    BLOCK.append(value)
    STORE.get(KEYS[i * 13 % len(KEYS)])


drive(operation)
