"""Healthy: a service under a paced load hands small jobs to a process pool that mostly waits for work."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))
from engine_parts import RUN_SECONDS, Store, keys, values

WORKERS = 3
ROWS = 1200
EVERY = 0.1  # seconds between two requests

_store = None
NAMES, BODIES = keys(3000), values(400)


def open_store():
    global _store
    _store = Store()


def work_off(first):
    for i in range(first, first + ROWS):
        _store.put(NAMES[i % len(NAMES)], BODIES[i % len(BODIES)])
        _store.get(NAMES[i * 7 % len(NAMES)])
    return ROWS


def main():
    start, done, due = time.monotonic(), 0, 0.0
    context = multiprocessing.get_context(os.environ.get("START_METHOD", "fork"))
    with context.Pool(WORKERS, initializer=open_store) as pool:
        while time.monotonic() < start + RUN_SECONDS:
            time.sleep(max(0.0, start + due - time.monotonic()))
            done += sum(pool.map(work_off, [done + number * ROWS for number in range(2)], chunksize=1))
            due += EVERY
    print(f"ops={done} seconds={time.monotonic() - start:.3f}", flush=True)


if __name__ == "__main__":
    main()
