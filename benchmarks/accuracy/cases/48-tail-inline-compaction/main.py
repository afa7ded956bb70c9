"""Readers see several sorted runs; when there are too many, whoever reads next merges them first."""

import sys
import time
from bisect import bisect_left
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, RUN_SECONDS, Store, encode, keys, values

from storeprof import profile_operation

LOOKUPS = 60
MOST_RUNS = 6
RUN_ROWS = 350


class Run:
    def __init__(self, rows):
        self.keys = [key for key, _ in rows]
        self.records = [record for _, record in rows]

    def find(self, key):
        at = bisect_left(self.keys, key)
        return self.records[at] if at < len(self.keys) and self.keys[at] == key else None

    def rows(self):
        return zip(self.keys, self.records, strict=True)


class Levels:
    def __init__(self, known, contents):
        self.known, self.contents = known, contents
        self.runs = [self.new_run(0)]
        self.added = 0

    def new_run(self, number):
        picked = sorted({self.known[(number * 131 + i * 11) % len(self.known)] for i in range(RUN_ROWS)})
        return Run([(key, self.contents[number % 500]) for key in picked])

    def add(self):
        self.added += 1
        self.runs.append(self.new_run(self.added))
        if len(self.runs) > 2 * MOST_RUNS:
            del self.runs[1:MOST_RUNS]

    def merge(self):
        merged = {}
        for run in self.runs[-MOST_RUNS:]:
            for key, record in run.rows():
                merged[key] = self.rewrite(key, record)
        self.runs[1:] = [Run(sorted(merged.items()))]

    def rewrite(self, key, record):
        return encode(key, record)[:400]

    def lookup(self, key):
        for run in reversed(self.runs[-2:]):
            found = run.find(key)
            if found is not None:
                return found
        return None


class Engine:
    def __init__(self):
        self.known, self.contents = keys(3000), values(500)
        self.store = Store()
        for i, key in enumerate(self.known):
            self.store.put(key, self.contents[i % 500])
        self.levels = Levels(self.known, self.contents)
        self.since_merge = 0

    def read(self, first):
        with profile_operation("read"):
            if PLANT and self.since_merge >= MOST_RUNS:
                self.compact()
            return [self.value(self.known[(first + i * 3) % 3000]) for i in range(LOOKUPS)]

    def value(self, key):
        return self.levels.lookup(key) or self.store.get(key)

    def compact(self):
        self.levels.merge()
        self.since_merge = 0

    def update(self, first):
        """Reads and rewrites what a client holds in its session."""
        with profile_operation("update"):
            for i in range(first, first + 320):
                self.store.put(self.known[i % 3000], self.contents[i % 500])
                self.store.get(self.known[(i + 40) % 3000])

    def flush(self):
        self.levels.add()
        self.since_merge += 1


def main():
    engine = Engine()
    count, start = 0, time.monotonic()
    while time.monotonic() < start + RUN_SECONDS:
        engine.read(count * 17)
        engine.update(count * 29)
        count += 1
        if count % 7 == 0:
            engine.flush()
    print(f"ops={2 * count} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
