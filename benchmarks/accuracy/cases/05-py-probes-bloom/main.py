"""A point-lookup engine with probes; the filters hash each key in pure Python, once for every table."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import zlib

from lsm.engine import PLANT, Engine, scratch, until_time_is_up

from storeprof import profile_function, profile_operation, profile_scope


def murmur(key, seed):
    value = seed
    for byte in key:
        value = ((value ^ byte) * 0x5BD1E995) & 0xFFFFFFFF
        value ^= value >> 13
    return value


def fast_hash(key, seed):
    return zlib.crc32(key, seed)


class TableFilter:
    hash = staticmethod(murmur if PLANT else fast_hash)

    def __init__(self, bits=1 << 15):
        self.mask = bits - 1
        self.words = bytearray(bits >> 3)

    @profile_function
    def add(self, key):
        place = self.hash(key, 1) & self.mask
        self.words[place >> 3] |= 1 << (place & 7)

    def may_contain(self, key):
        place = self.hash(key, 1) & self.mask
        return self.words[place >> 3] >> (place & 7) & 1


class FilteredEngine(Engine):
    """An engine that asks its filters before it searches the tables."""

    def __init__(self, folder):
        super().__init__(folder)
        self.filters = [TableFilter() for _ in range(3)]
        self.saved = 0

    @profile_operation
    def put(self, key, value):
        self.filters[len(key) % 3].add(key)
        with profile_scope("log and memtable"):
            super().put(key, value)

    @profile_operation
    def get(self, key):
        if not any(one.may_contain(key) for one in self.filters):
            self.saved += 1
            return None
        return super().get(key)


def main():
    names = [b"sensor/%05d/channel/%02d" % (i * 7919 % 20000, i % 16) for i in range(20000)]
    contents = [(f"{i * 104729 % 99991:08d}" * 6).encode() for i in range(400)]
    with scratch() as folder:
        engine = FilteredEngine(folder)
        for i in until_time_is_up():
            if i % 3:
                engine.get(names[(i * 31) % 20000])
            else:
                engine.put(names[i % 20000], contents[i % 400])
        engine.close()


if __name__ == "__main__":
    main()
