"""Batches are written under a lock; a background flush builds its table while it holds the same lock."""

import os
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, RUN_SECONDS, Store, keys, values

from storeprof import profile_operation

BATCH = 160
ROW_BYTES = 1500


class TableWriter:
    def __init__(self, folder):
        self.folder = folder
        self.number = 0
        self.columns = os.urandom(1 << 20)

    def row(self, key, number):
        start = number * ROW_BYTES % (len(self.columns) - ROW_BYTES)
        return key + self.columns[start : start + ROW_BYTES]

    def build(self, rows):
        return zlib.compress(b"".join(self.row(key, i) for i, key in enumerate(rows)), 1)

    def write(self, rows):
        path = os.path.join(self.folder, f"{self.number % 4:06d}.sst")
        self.number += 1
        with open(path, "wb") as file:
            file.write(self.build(rows))


class Engine:
    def __init__(self, folder):
        self.mutex = threading.Lock()
        self.store = Store()
        self.tables = TableWriter(folder)
        self.fresh = []

    def write_batch(self, pairs):
        with profile_operation("write_batch"), self.mutex:
            for key, value in pairs:
                self.store.put(key, value)
            self.fresh.append(pairs[0][0])

    def flush(self):
        with self.mutex:
            rows, self.fresh = self.rows_to_flush(), []
            if PLANT:
                self.tables.write(rows)
        if not PLANT:
            self.tables.write(rows)

    def rows_to_flush(self):
        return [key for key in self.fresh for _ in range(7)]


class Session:
    """A client's own view: what it wrote last and reads back, without the engine's lock."""

    def __init__(self):
        self.recent = Store()

    def serve(self, pairs):
        with profile_operation("serve"):
            for key, value in pairs:
                self.recent.put(key, value)
                self.recent.get(key)


class Flusher(threading.Thread):
    def __init__(self, engine):
        super().__init__(name="flusher")
        self.engine = engine
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            self.engine.flush()

    def stop(self):
        self.ended.set()
        self.join()


def main():
    pairs = list(zip(keys(4000), values(4000), strict=True))
    batches = [pairs[i : i + BATCH] for i in range(0, len(pairs), BATCH)]
    with tempfile.TemporaryDirectory(prefix="data-", dir=".") as folder:
        engine = Engine(folder)
        engine.write_batch(pairs)
        session, flusher = Session(), Flusher(engine)
        flusher.start()
        count, start = 0, time.monotonic()
        while time.monotonic() < start + RUN_SECONDS:
            engine.write_batch(batches[count % len(batches)])
            for step in range(1, 4):
                session.serve(batches[(count + step) % len(batches)])
            count += 4
        seconds = time.monotonic() - start
        flusher.stop()
    print(f"ops={count} seconds={seconds:.3f}")


if __name__ == "__main__":
    main()
