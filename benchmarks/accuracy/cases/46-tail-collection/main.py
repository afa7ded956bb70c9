"""A store with a large index collects garbage by hand whenever it retires a generation, inside the commit."""

import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, RUN_SECONDS, Store, keys, values

from storeprof import profile_operation

BATCH = 60
GENERATION = 40  # commits until a generation is retired
INDEX_ENTRIES = 45_000


class Entry:
    __slots__ = ("key", "place")

    def __init__(self, key, place):
        self.key = key
        self.place = place


class Generations:
    """Batches that may still be read by open snapshots; retired together."""

    def __init__(self):
        self.live = []
        self.retired = 0

    def add(self, pairs):
        self.live.append({key: [key, value] for key, value in pairs})

    def full(self):
        return len(self.live) >= GENERATION

    def retire(self):
        self.live.clear()
        self.retired += 1
        if PLANT:
            gc.collect()


class Engine:
    def __init__(self, pairs):
        self.store = Store()
        self.index = [[Entry(key, i), (key, i)] for i in range(INDEX_ENTRIES // len(pairs) + 1) for key, _ in pairs]
        self.generations = Generations()

    def commit(self, pairs):
        with profile_operation("commit"):
            for key, value in pairs:
                self.store.put(key, value)
            self.generations.add(pairs)
            if self.generations.full():
                self.generations.retire()

    def exchange(self, pairs):
        """Reads and writes of a replica catching up."""
        with profile_operation("exchange"):
            for key, value in pairs:
                self.store.get(key)
                self.store.put(key, value)


def main():
    gc.disable()
    pairs = list(zip(keys(4000), values(4000), strict=True))
    engine = Engine(pairs)
    engine.commit(pairs)
    batches = [pairs[i : i + BATCH] for i in range(0, len(pairs), BATCH)]
    wide = [pairs[i : i + 9 * BATCH] for i in range(0, 3000, BATCH)]
    count, start = 0, time.monotonic()
    while time.monotonic() < start + RUN_SECONDS:
        engine.commit(batches[count % len(batches)])
        engine.exchange(wide[count % len(wide)])
        count += 2
    print(f"ops={count} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
