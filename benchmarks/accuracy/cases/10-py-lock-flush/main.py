"""Writers wait while the flush writes the full memtable to disk under the engine's lock."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from engine_parts import PLANT, RUN_SECONDS, Store, keys, values
from lsm.engine import scratch


class TableFile:
    def __init__(self, folder):
        self.path = os.path.join(folder, "table")

    def write(self, rows):
        with open(self.path, "wb", buffering=0) as file:
            for first in range(0, len(rows), 64):
                file.write(b"".join(rows[first : first + 64]))
                os.fdatasync(file.fileno())


class Engine:
    def __init__(self, folder):
        self.mutex = threading.RLock()
        self.store = Store()
        self.pending = []
        self.file = TableFile(folder)

    def put(self, key, value):
        with self.mutex:
            self.store.put(key, value)
            self.pending.append(value)

    def flush(self):
        if PLANT:
            with self.mutex:
                rows, self.pending = self.pending, []
                self.file.write(rows[-1600:])
        else:
            with self.mutex:
                rows, self.pending = self.pending, []
            self.file.write(rows[-1600:])


def main():
    known, contents = keys(5000), values(500)
    start = time.monotonic()
    end = start + RUN_SECONDS

    def write(first):
        done = first
        while time.monotonic() < end:
            for i in range(done, done + 40):
                engine.put(known[i % 5000], contents[i % 500])
            done += 40
        return done - first

    def flush_often():
        while time.monotonic() < end:
            engine.flush()
            time.sleep(0.005)

    with scratch() as folder:
        engine = Engine(folder)
        flusher = threading.Thread(target=flush_often, name="flusher")
        flusher.start()
        with ThreadPoolExecutor(1, thread_name_prefix="client") as clients:
            done = sum(clients.map(write, [0]))
        flusher.join()
    print(f"ops={done} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
