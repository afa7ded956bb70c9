"""An ingest thread waits on the full queue of a sink that packs every block in pure Python-called native code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import queue
import threading
import time
import zlib

from engine_parts import PLANT, RUN_SECONDS, Store, keys, values


class Sink:
    """Takes blocks from a short queue and packs them."""

    def __init__(self):
        self.blocks = queue.Queue(maxsize=4)
        self.written = 0
        self.thread = threading.Thread(target=self.loop, name="sink")

    def loop(self):
        while (block := self.blocks.get()) is not None:
            self.written += len(self.pack(block))

    def pack(self, block):
        return zlib.compress(block, 9 if PLANT else 0)

    def offer(self, block):
        self.blocks.put(block)

    def close(self):
        self.blocks.put(None)
        self.thread.join()


class Ingest:
    def __init__(self, sink):
        self.store, self.sink, self.parts, self.size = Store(), sink, [], 0

    def write(self, key, value):
        self.store.put(key, value)
        self.parts.append(value)
        self.size += len(value)
        if self.size > 100_000:
            self.seal()

    def seal(self):
        block, self.parts, self.size = b"".join(self.parts), [], 0
        self.sink.offer(block)


def main():
    known, contents = keys(5000), [b"%s%d" % (value, n) * 3 for n, value in enumerate(values(500))]
    sink = Sink()
    sink.thread.start()
    ingest, done, start = Ingest(sink), 0, time.monotonic()
    while time.monotonic() < start + RUN_SECONDS:
        for i in range(done, done + 50):
            ingest.write(known[i % 5000], contents[i * 17 % 500])
        done += 50
    print(f"ops={done} seconds={time.monotonic() - start:.3f}")
    sink.close()


if __name__ == "__main__":
    main()
