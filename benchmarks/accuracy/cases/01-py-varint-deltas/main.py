"""A time-series appender whose timestamps are packed as varints, one byte at a time in Python."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import struct
from itertools import pairwise

from columns import SeriesBuffer
from engine_parts import PLANT, Store, drive, keys, values


def zigzag(number):
    return (number << 1) ^ (number >> 63)


def put_varints(out, numbers):
    for number in numbers:
        rest = number
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)


class ChunkWriter:
    """Timestamps and their deltas behind a count."""

    def __init__(self):
        self.chunks = 0

    def pack(self, stamps):
        out = bytearray(len(stamps).to_bytes(2, "little"))
        steps = [zigzag(later - earlier) for earlier, later in pairwise(stamps)]
        for column in (stamps, steps):
            if PLANT:
                put_varints(out, column)
            else:
                out += struct.pack(f"<{len(column)}q", *column)
        self.chunks += 1
        return bytes(out)


def main():
    store, writer = Store(), ChunkWriter()
    known, contents = keys(5000), values(500)
    buffers = [SeriesBuffer(number) for number in range(40)]

    def operation(i):
        key = known[i % 5000]
        if i % 3 == 0:
            store.put(key, contents[i % 500])
        buffer = buffers[i % 40]
        for step in range(9):
            buffer.append(i * 97_700_000 + step * 1_048_573 * (i & 63), i % 97)
        if buffer.full():
            store.put(key, writer.pack(buffer.take()))
        if i % 3 == 1:
            store.get(known[(i * 31) % 5000])

    drive(operation)


if __name__ == "__main__":
    main()
