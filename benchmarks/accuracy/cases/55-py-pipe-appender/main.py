"""Records go through a pipe to an appender thread that is slow; the writer blocks when the pipe is full."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import threading
import time

from engine_parts import PLANT, RUN_SECONDS, Store, encode, keys, values
from lsm.engine import scratch


class Appender:
    """Drains the pipe into a file, 4 KB at a time, at the pace of its device."""

    def __init__(self, source, path):
        self.source, self.path = source, path
        self.thread = threading.Thread(target=self.drain)

    def drain(self):
        with open(self.path, "wb") as file:
            while chunk := os.read(self.source, 4096):
                self.store_chunk(file, chunk)

    def store_chunk(self, file, chunk):
        file.seek(0)
        file.write(chunk)
        if PLANT:
            time.sleep(0.0008)


class PipedLog:
    def __init__(self, sink):
        self.sink = sink
        self.buffer = bytearray()

    def append(self, record):
        self.buffer += record
        if len(self.buffer) >= 4096:
            self.hand_over()

    def hand_over(self):
        os.write(self.sink, self.buffer)
        self.buffer.clear()


def main():
    source, sink = os.pipe()
    known, contents, store, log = keys(5000), values(500), Store(), PipedLog(sink)
    with scratch() as folder:
        appender = Appender(source, os.path.join(folder, "appended"))
        appender.thread.start()
        start, done = time.monotonic(), 0
        while time.monotonic() < start + RUN_SECONDS:
            for i in range(done, done + 50):
                key, value = known[i % 5000], contents[i % 500]
                store.put(key, value)
                log.append(encode(key, value))
            done += 50
        print(f"ops={done} seconds={time.monotonic() - start:.3f}")
        os.close(sink)
        appender.thread.join()
        os.close(source)


if __name__ == "__main__":
    main()
