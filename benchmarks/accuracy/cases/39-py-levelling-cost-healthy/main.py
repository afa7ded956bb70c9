"""Healthy: the cost of a put grows while the store fills its first levels and then stays; collections are cheap."""

import sys
import time
from bisect import insort
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import RUN_SECONDS, Store, keys, values

LEVELS = 7
REPORT_S = 0.5


class Levels:
    """Sorted runs; a full level is merged away, so that there are never more than LEVELS."""

    def __init__(self):
        self.runs = [[b"series-000000"]]

    def note(self, number, key):
        if number % 40_000 == 0 and len(self.runs) < LEVELS:
            self.runs.append([key])
        newest = self.runs[-1]
        insort(newest, key)
        if len(newest) > 400:
            del newest[1::2]

    def search(self, key):
        found = 0
        for run in self.runs:
            found += run[0] <= key
        return found


class Filling:
    def __init__(self):
        self.store, self.levels = Store(), Levels()

    def put(self, number, key, value):
        self.store.put(key, value)
        self.levels.note(number, key)
        if number % 2:
            self.levels.search(key)
        return [{"key": key, "sizes": [len(key), len(value)]}]


def main():
    names, bodies = keys(3000), values(997)
    engine = Filling()
    start = last = time.monotonic()
    done = reported = 0
    while time.monotonic() < start + RUN_SECONDS:
        for i in range(done, done + 50):
            engine.put(i, names[i % 3000], bodies[i % 997])
            engine.store.get(names[(i * 7) % 3000])
        done += 50
        now = time.monotonic()
        if now >= last + REPORT_S:
            print(f"ops={done - reported} seconds={now - last:.3f}", flush=True)
            last, reported = now, done
    now = time.monotonic()
    print(f"ops={done - reported} seconds={now - last:.3f}", flush=True)


if __name__ == "__main__":
    main()
