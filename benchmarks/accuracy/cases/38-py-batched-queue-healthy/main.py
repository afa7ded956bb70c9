"""Healthy: two threads that hand over records by the thousand, so that a wake-up is worth its price."""

import queue
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import Store, drive, keys, seal, values

BATCH = 8192


class LogThread:
    def __init__(self):
        self.queue = queue.Queue(maxsize=4)
        self.batch = []
        self.size = 0
        self.thread = threading.Thread(target=self.run, name="log")
        self.thread.start()

    def submit(self, record):
        self.batch.append(record)
        if len(self.batch) == BATCH:
            self.queue.put(self.batch)
            self.batch = []

    def run(self):
        while (batch := self.queue.get()) is not None:
            for record in batch:
                self.size += len(record)
            seal(batch[-1])

    def close(self):
        self.queue.put(None)
        self.thread.join()


def main():
    names, bodies = keys(3000), values(997)
    store, log = Store(), LogThread()

    def operation(i):
        key, value = names[i % 3000], bodies[i % 997]
        store.put(key, value)
        log.submit(value)
        store.get(names[(i * 7) % 3000])

    try:
        drive(operation)
    finally:
        log.close()


if __name__ == "__main__":
    main()
