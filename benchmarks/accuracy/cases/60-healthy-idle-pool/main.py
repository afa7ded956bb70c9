"""Healthy: a pool of eight workers that mostly wait for work beside a busy foreground."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from engine_parts import RUN_SECONDS, Store, keys, values

WORKERS = 8


class Prefetcher:
    """Warms blocks of ranges that were asked for; asked for now and then."""

    def __init__(self):
        self.pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="prefetch")
        self.ready = threading.Barrier(WORKERS + 1)
        self.warmed = 0
        for _ in range(WORKERS):
            self.pool.submit(self.ready.wait)
        self.ready.wait()

    def ask(self, names):
        self.pool.submit(self.warm, names)

    def warm(self, names):
        self.warmed += sum(len(name) for name in names)


def main():
    names, contents = keys(4000), values(400)
    engine, prefetcher = Store(), Prefetcher()
    start, done = time.monotonic(), 0
    while time.monotonic() < start + RUN_SECONDS:
        for i in range(done, done + 50):
            engine.put(names[i % 4000], contents[i % 400])
            engine.get(names[(i * 31) % 4000])
        if done % 20_000 == 0:
            prefetcher.ask(names[:200])
        done += 50
    print(f"ops={done} seconds={time.monotonic() - start:.3f}")
    prefetcher.pool.shutdown()


if __name__ == "__main__":
    main()
