"""Blob store that maps a fresh anonymous segment whenever one is full and unmaps it once it is sealed."""

import mmap
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Bloom, Counters, Index, Marks, drive, keys

SEGMENT = 8 << 20
BLOB = 4_200


class Segments:
    """Where blobs are gathered until a segment is full."""

    def __init__(self):
        self.open = mmap.mmap(-1, SEGMENT)
        self.at = 0
        self.sealed = 0

    def append(self, blob):
        if self.at + len(blob) > SEGMENT:
            self.roll()
        offset = self.at
        self.copy_in(offset, blob)
        self.at += len(blob)
        return offset

    def copy_in(self, offset, blob):
        self.open[offset : offset + len(blob)] = blob

    def roll(self):
        self.sealed += 1
        if PLANT:
            self.open.close()
            self.open = mmap.mmap(-1, SEGMENT)
        self.at = 0


class BlobStore:
    def __init__(self):
        self.segments, self.index, self.bloom = Segments(), Index(), Bloom()
        self.counters, self.marks = Counters(), Marks()
        self.places = {}

    def put(self, key, blob):
        check = zlib.crc32(blob)
        offset = self.segments.append(blob)
        self.places[key] = (self.segments.sealed, offset, check)
        self.account(key, len(blob))

    def account(self, key, size):
        self.index.add(key)
        self.bloom.add(key)
        self.marks.observe(key)
        self.counters.put(size)


def main():
    names = keys(5000)
    blobs = [bytes([i]) * (BLOB - 32 * i) for i in range(64)]
    store = BlobStore()
    drive(lambda i: store.put(names[i % 5000], blobs[i & 63]))


if __name__ == "__main__":
    main()
