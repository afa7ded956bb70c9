"""Healthy: consumers that wait for records of a paced producer; the queues are hardly ever full or empty for long."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import queue
import threading
import time
from dataclasses import dataclass, field

from engine_parts import RUN_SECONDS, Store, keys, values

KEYS, VALUES = keys(5000), values(500)


@dataclass
class Consumer:
    """Applies batches of its partition."""

    name: str
    inbox: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)
    store: Store = field(default_factory=Store)
    applied: int = 0

    def start(self):
        self.thread = threading.Thread(target=self.consume, name=self.name)
        self.thread.start()
        return self

    def consume(self):
        for batch in iter(self.inbox.get, None):
            self.apply(batch)

    def apply(self, batch):
        for i in batch:
            self.store.put(KEYS[i % 5000], VALUES[i % 500])
            self.store.get(KEYS[(i * 13) % 5000])
        self.applied += len(batch)


def arrivals(rate, size):
    """Batches at their times, whatever the consumers do (an open loop)."""
    start, number = time.monotonic(), 0
    while (due := start + number * size / rate) < start + RUN_SECONDS:
        pause = due - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        yield range(number * size, (number + 1) * size)
        number += 1


def main():
    consumers = [Consumer(f"partition-{n}").start() for n in range(3)]
    start = time.monotonic()
    for number, batch in enumerate(arrivals(rate=12_000, size=120)):
        consumers[number % 3].inbox.put(batch)
    for one in consumers:
        one.inbox.put(None)
    for one in consumers:
        one.thread.join()
    done = sum(one.applied for one in consumers)
    print(f"ops={done} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
