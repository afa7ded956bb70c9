"""Store with a log thread that is woken by a byte in a pipe for every single record, and answers each with another."""

import os
import sys
import threading
from collections import deque
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Store, drive, keys, seal, values

BATCH = 1 if PLANT else 64


class LogThread:
    """Seals records in the order they were given; `submit` returns once its batch is sealed."""

    def __init__(self):
        self.wake_end, self.wake = os.pipe()
        self.done, self.done_end = os.pipe()
        self.waiting = deque()
        self.size = 0
        self.thread = threading.Thread(target=self.run, name="log")
        self.thread.start()

    def submit(self, record):
        self.waiting.append(record)
        if len(self.waiting) >= BATCH:
            self.hand_over()

    def hand_over(self):
        os.write(self.wake, b"r")
        os.read(self.done, 1)

    def run(self):
        while os.read(self.wake_end, 1) != b"q":
            while self.waiting:
                self.store(self.waiting.popleft())
            os.write(self.done_end, b"d")

    def store(self, record):
        self.size += len(record) + len(seal(record))

    def close(self):
        os.write(self.wake, b"q")
        self.thread.join()
        for descriptor in (self.wake_end, self.wake, self.done, self.done_end):
            os.close(descriptor)


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
