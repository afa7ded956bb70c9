"""Parts of a small log-structured store that the planted programs share; no plant in here.

Work is spread over many small functions on purpose: none of them is a tenth of a healthy program's time.
"""

import os
import struct
import time
import zlib
from bisect import bisect_left, insort

RUN_SECONDS = float(os.environ.get("RUN_SECONDS", "8"))
PLANT = os.environ.get("PLANT", "1") != "0"
HEADER = struct.Struct("<HH")


def frame(key, value):
    return HEADER.pack(len(key), len(value))


def seal(body):
    return zlib.adler32(body).to_bytes(4, "little")


def encode(key, value):
    body = frame(key, value) + key + value
    return seal(body) + body


def lengths(record):
    return HEADER.unpack_from(record, 4)


def check(record):
    if seal(memoryview(record)[4:]) != record[:4]:
        raise ValueError("damaged record")


def decode(record):
    key_length, value_length = lengths(record)
    start = 8 + key_length
    return record[8:start], record[start : start + value_length]


class MemTable:
    def __init__(self, limit=4000):
        self.limit = limit
        self.rows = {}
        self.order = []

    def insert(self, key, record):
        if key not in self.rows:
            insort(self.order, key)
        self.rows[key] = record

    def lookup(self, key):
        return self.rows.get(key)

    def full(self):
        return len(self.rows) >= self.limit


class Index:
    """Names of series in sorted runs."""

    def __init__(self):
        self.firsts = [b"series-%06d" % (i * 100) for i in range(64)]

    def place(self, key):
        return bisect_left(self.firsts, key)

    def add(self, key):
        return self.place(key) < 64


class Sizes:
    def __init__(self):
        self.counts = [0] * 32

    def note(self, size):
        self.counts[size.bit_length()] += 1


class Counters:
    def __init__(self):
        self.puts = self.gets = self.bytes = 0
        self.sizes = Sizes()

    def put(self, size):
        self.puts += 1
        self.bytes += size
        self.sizes.note(size)

    def get(self, hit):
        self.gets += hit


class Recent:
    """A ring of recently used keys."""

    def __init__(self, size):
        self.ring = [None] * size
        self.at = 0

    def touch(self, key):
        self.ring[self.at] = key
        self.advance()

    def advance(self):
        self.at = (self.at + 1) % len(self.ring)


class Window:
    """Bytes accepted in the last slots, to admit or delay writers."""

    def __init__(self, slots=64):
        self.slots = [0] * slots
        self.total = 0
        self.at = 0

    def admit(self, size):
        slot = self.next_slot()
        self.total += size - self.slots[slot]
        self.slots[slot] = size

    def next_slot(self):
        self.at = (self.at + 1) & 63
        return self.at


class Router:
    def __init__(self, shards=7):
        self.shards = shards
        self.load = [0] * shards

    def shard(self, key):
        return (key[-1] * 31 + key[-2]) % self.shards

    def account(self, key, size):
        shard = self.shard(key)
        self.load[shard] = (self.load[shard] + size) & 0xFFFFFF


class Versions:
    def __init__(self):
        self.of = {}

    def bump(self, key):
        version = self.of.get(key, 0) + 1
        self.of[key] = version & 0xFFFF


class Quota:
    def __init__(self):
        self.left = 1 << 20

    def charge(self, size):
        self.left -= size
        if self.left < 0:
            self.refill()

    def refill(self):
        self.left = 1 << 20


class Marks:
    def __init__(self):
        self.low = self.high = b""

    def observe(self, key):
        if key > self.high:
            self.high = key


class Bloom:
    def __init__(self):
        self.bits = bytearray(4096)

    def add(self, key):
        place = zlib.crc32(key) & 32767
        self.bits[place >> 3] |= 1 << (place & 7)

    def may_contain(self, key):
        place = zlib.crc32(key) & 32767
        return self.bits[place >> 3] >> (place & 7) & 1


class Sequence:
    def __init__(self):
        self.last = 0

    def number(self):
        self.last += 1
        return self.last


class Lengths:
    """A moving mean of value sizes in fixed point."""

    def __init__(self):
        self.mean = 0

    def add(self, size):
        self.mean += ((size << 8) - self.mean) >> 4


class Trace:
    def __init__(self, every=64):
        self.every = every
        self.seen = 0
        self.kept = []

    def note(self, key):
        self.seen += 1
        if self.seen % self.every == 0:
            self.keep(key)

    def keep(self, key):
        self.kept.append(key)
        if len(self.kept) > 100:
            self.kept.clear()


class Store:
    """A healthy engine: put and get, with everything around them."""

    def __init__(self):
        self.table, self.index, self.counters = MemTable(), Index(), Counters()
        self.recent, self.window, self.router = Recent(512), Window(), Router()
        self.versions, self.quota, self.marks = Versions(), Quota(), Marks()
        self.bloom, self.sequence, self.lengths, self.trace = Bloom(), Sequence(), Lengths(), Trace()

    def put(self, key, value):
        self.admit(key, len(value))
        self.table.insert(key, encode(key, value))
        self.account(key, len(value))

    def admit(self, key, size):
        self.quota.charge(size)
        self.window.admit(size)
        self.route(key, size)

    def route(self, key, size):
        self.router.account(key, size)
        self.sequence.number()

    def account(self, key, size):
        self.remember(key)
        self.counters.put(size)
        self.lengths.add(size)

    def remember(self, key):
        self.index.add(key)
        self.bloom.add(key)
        self.order(key)

    def order(self, key):
        self.versions.bump(key)
        self.marks.observe(key)

    def get(self, key):
        record = self.find(key)
        return self.open_record(record) if record else None

    def find(self, key):
        self.recent.touch(key)
        self.trace.note(key)
        return self.load(key)

    def load(self, key):
        record = self.table.lookup(key) if self.bloom.may_contain(key) else None
        self.counters.get(record is not None)
        return record

    def open_record(self, record):
        check(record)
        return decode(record)


def keys(count):
    return [b"series-%06d" % ((i * 7919) % count) for i in range(count)]


def values(count):
    return [(f"{(i * 104729) % 99991:08d}" * 12).encode() for i in range(count)]


def drive(operation):
    """Run operation(i) until the time is up; prints the count that storeprof reads."""
    start = time.monotonic()
    done = 0
    while True:
        for i in range(done, done + 50):
            operation(i)
        done += 50
        now = time.monotonic()
        if now >= start + RUN_SECONDS:
            break
    print(f"ops={done} seconds={now - start:.3f}", flush=True)
