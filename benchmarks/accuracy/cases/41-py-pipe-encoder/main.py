"""A column store that has its sealed blocks compressed by an encoder process behind a pipe."""

import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))
from engine_parts import RUN_SECONDS, Store, encode, keys, values

LENGTH = struct.Struct("<I")
ROWS_IN_BLOCK = 400


class Encoder:
    """The encoder process, spoken to by blocks with their length before them."""

    def __init__(self):
        script = str(Path(__file__).with_name("encoder.py"))
        self.process = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def compress(self, block):
        self.send(block)
        return self.receive()

    def send(self, block):
        self.process.stdin.write(LENGTH.pack(len(block)) + block)
        self.process.stdin.flush()

    def receive(self):
        (size,) = LENGTH.unpack(self.process.stdout.read(LENGTH.size))
        return self.process.stdout.read(size)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class ColumnStore:
    """Rows go to the memory table; every few hundred of them are sealed as a compressed block."""

    def __init__(self):
        self.store = Store()
        self.encoder = Encoder()
        self.open_rows, self.blocks = [], []

    def put(self, key, value):
        self.store.put(key, value)
        self.store.get(key)
        self.open_rows.append(encode(key, value))
        if len(self.open_rows) == ROWS_IN_BLOCK:
            self.seal()

    def seal(self):
        self.blocks.append(self.encoder.compress(b"".join(self.open_rows)))
        self.open_rows.clear()
        del self.blocks[:-64]


def main():
    names, bodies = keys(4000), values(500)
    store = ColumnStore()
    start, done = time.monotonic(), 0
    while time.monotonic() < start + RUN_SECONDS:
        for i in range(done, done + 100):
            store.put(names[i % len(names)], bodies[i % len(bodies)])
        done += 100
    seconds = time.monotonic() - start
    store.encoder.close()
    print(f"ops={done} seconds={seconds:.3f}", flush=True)


if __name__ == "__main__":
    main()
