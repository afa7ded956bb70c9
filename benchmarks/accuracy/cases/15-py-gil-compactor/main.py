"""A background compaction in pure Python takes the interpreter from the foreground writer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import heapq
import threading
import time

from engine_parts import PLANT, RUN_SECONDS, Store, decode, encode, keys, values


class Compactor(threading.Thread):
    """Merges runs again and again, oldest first."""

    def __init__(self, runs):
        super().__init__(name="compactor", daemon=True)
        self.runs = runs
        self.merged = 0
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.is_set():
            for output in self.merge():
                self.merged += len(output)
            if not PLANT:
                self.stopped.wait(1.0)

    def merge(self):
        yield from (encode(key, value) for key, value in self.newest(heapq.merge(*self.runs)))

    def newest(self, rows):
        last = None
        for record in rows:
            key, value = decode(record)
            if key != last:
                yield key, value
            last = key


def runs_of(known, contents, count=4):
    return [sorted(encode(key, contents[n % 500]) for n, key in enumerate(known[i::count])) for i in range(count)]


def main():
    known, contents = keys(5000), values(500)
    store, compactor = Store(), Compactor(runs_of(known, contents))
    compactor.start()
    start = time.monotonic()
    done = 0
    while time.monotonic() < start + RUN_SECONDS:
        for i in range(done, done + 50):
            store.put(known[i % 5000], contents[i % 500])
            store.get(known[(i * 13) % 5000])
        done += 50
    print(f"ops={2 * done} seconds={time.monotonic() - start:.3f}")
    compactor.stopped.set()
    compactor.join()


if __name__ == "__main__":
    main()
