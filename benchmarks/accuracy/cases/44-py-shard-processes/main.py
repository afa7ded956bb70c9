"""Healthy: a sharded store with a process per shard; routing, storing and reading are spread over many functions."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))
from engine_parts import RUN_SECONDS, Store, keys, values

SHARDS = 2
ROUND = 2000
NAMES, BODIES = keys(4000), values(500)


def put_range(store, first):
    for i in range(first, first + ROUND):
        store.put(NAMES[i % len(NAMES)], BODIES[i % len(BODIES)])
        store.get(NAMES[i * 13 % len(NAMES)])
    return ROUND


def serve(orders, answers):
    """Main loop of a shard: one order at a time."""
    store = Store()
    while (first := orders.get()) is not None:
        answers.put(put_range(store, first))


def main():
    context = multiprocessing.get_context(os.environ.get("START_METHOD", "spawn"))
    orders, answers = context.SimpleQueue(), context.SimpleQueue()
    shards = [context.Process(target=serve, args=(orders, answers)) for _ in range(SHARDS)]
    for shard in shards:
        shard.start()
    start, given, done = time.monotonic(), 0, 0
    for _ in range(2 * SHARDS):
        orders.put(given)
        given += ROUND
    while time.monotonic() < start + RUN_SECONDS:
        done += answers.get()
        orders.put(given)
        given += ROUND
    seconds = time.monotonic() - start
    for _ in shards:
        orders.put(None)
    while any(shard.is_alive() for shard in shards):
        if not answers.empty():
            answers.get()
    print(f"ops={done} seconds={seconds:.3f}", flush=True)


if __name__ == "__main__":
    main()
