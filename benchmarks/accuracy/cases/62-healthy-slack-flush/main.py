"""Healthy: a flush thread that sleeps between flushes and a compaction in spare time, off the foreground's path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import threading
import time

from engine_parts import RUN_SECONDS, Store, keys, values
from lsm.engine import scratch


class Background(threading.Thread):
    """Calls a job each period until it is told to stop."""

    def __init__(self, job, period):
        super().__init__(name=job.__name__, daemon=True)
        self.job, self.period = job, period
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(self.period):
            self.job()

    def stop(self):
        self.ended.set()
        self.join()


class Engine:
    def __init__(self, folder):
        self.store = Store()
        self.dirty, self.runs = [], []
        self.file = open(os.path.join(folder, "data"), "wb")

    def put(self, key, value):
        self.store.put(key, value)
        self.dirty.append(key)

    def flush(self):
        keys, self.dirty = self.dirty[-2000:], []
        for first in range(0, len(keys), 500):
            self.file.write(b"".join(keys[first : first + 500]))
        self.file.flush()
        os.fsync(self.file.fileno())
        self.runs.append(len(keys))

    def compact(self):
        self.runs = [sum(self.runs)]


def main():
    known, contents = keys(5000), values(500)
    with scratch() as folder:
        engine = Engine(folder)
        jobs = [Background(engine.flush, 0.25), Background(engine.compact, 1.1)]
        for job in jobs:
            job.start()
        start, done = time.monotonic(), 0
        while time.monotonic() < start + RUN_SECONDS:
            for i in range(done, done + 50):
                engine.put(known[i % 5000], contents[i % 500])
                engine.store.get(known[(i * 13) % 5000])
            done += 50
        print(f"ops={2 * done} seconds={time.monotonic() - start:.3f}")
        for job in jobs:
            job.stop()
        engine.file.close()


if __name__ == "__main__":
    main()
