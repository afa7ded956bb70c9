"""Records go to a log through a buffer; every sixtieth put or so writes it out. That is what the buffer is for."""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import RUN_SECONDS, Store, encode, keys, values

from storeprof import profile_operation, profile_scope

BUFFER_BYTES = 8192
SEGMENT_BYTES = 1 << 22


class Log:
    def __init__(self, path):
        self.file = os.open(path, os.O_CREAT | os.O_RDWR)
        self.buffer = bytearray()
        self.at = 0

    def append(self, record):
        self.buffer += record
        if len(self.buffer) >= BUFFER_BYTES:
            self.write_out()

    def write_out(self):
        with profile_scope("log.write"):
            os.pwrite(self.file, self.buffer, self.at)
            self.at = (self.at + len(self.buffer)) % SEGMENT_BYTES
            self.buffer.clear()

    def close(self):
        self.write_out()
        os.close(self.file)


class Engine:
    def __init__(self, folder):
        self.store = Store()
        self.log = Log(os.path.join(folder, "log"))

    @profile_operation
    def put(self, key, value):
        self.log.append(encode(key, value))
        self.store.put(key, value)

    @profile_operation
    def get(self, key):
        return self.store.get(key)


def main():
    known, contents = keys(4000), values(1000)
    with tempfile.TemporaryDirectory(prefix="data-", dir=".") as folder:
        engine = Engine(folder)
        count, start = 0, time.monotonic()
        while time.monotonic() < start + RUN_SECONDS:
            for i in range(count, count + 50):
                engine.put(known[i % 4000], contents[i % 1000])
                engine.get(known[i * 7 % 4000])
            count += 50
        seconds = time.monotonic() - start
        engine.log.close()
    print(f"ops={2 * count} seconds={seconds:.3f}")


if __name__ == "__main__":
    main()
