"""Blocks are compressed at the dearest level, by a codec made in a registry of closures."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import random
import zlib

from engine_parts import PLANT, Store, drive, keys

CODECS = {}


def codec(name, level):
    def register(make):
        CODECS[name] = make(level)
        return make

    return register


@codec("best", 9)
@codec("stored", 0)
def deflate(level):
    def compress(block):
        packer = zlib.compressobj(level)
        return packer.compress(block) + packer.flush()

    return compress


class BlockBuilder:
    def __init__(self, compress, target=16_384):
        self.compress = compress
        self.target = target
        self.parts = []
        self.size = 0

    def add(self, key, value):
        self.parts.append(key + value)
        self.size += len(key) + len(value)
        return self.size >= self.target

    def finish(self):
        block, self.parts, self.size = b"".join(self.parts), [], 0
        return self.compress(block)


class TableWriter:
    def __init__(self, compress):
        self.builder = BlockBuilder(compress)
        self.offsets = [0]

    def append(self, key, value):
        if self.builder.add(key, value):
            self.offsets.append(self.offsets[-1] + len(self.builder.finish()))
            del self.offsets[:-100]


def main():
    store, writer = Store(), TableWriter(CODECS["best" if PLANT else "stored"])
    known = keys(5000)
    chance, words = random.Random(3), (b"temp", b"flow", b"rack", b"unit", b"line", b"ok", b"site")
    pairs = [b"%s=%d;" % (chance.choice(words), chance.randrange(1000)) for _ in range(9000)]
    contents = [b"".join(chance.choices(pairs, k=10)) for _ in range(699)]

    def operation(i):
        key, value = known[i % 5000], contents[i % 699]
        store.put(key, value)
        if i % 3:
            store.get(known[(i * 13) % 5000])
        writer.append(key, value)

    drive(operation)


if __name__ == "__main__":
    main()
