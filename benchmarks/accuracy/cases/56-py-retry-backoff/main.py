"""Compare-and-set against a version that others move: a failed try backs off with a sleep."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import time
from contextlib import contextmanager

from engine_parts import PLANT, Store, drive, keys, values


class Conflict(Exception):
    pass


class Versioned:
    """A store with optimistic writes; every hundredth write meets a newer version."""

    def __init__(self):
        self.store = Store()
        self.attempts = 0

    def compare_and_put(self, key, value, attempt):
        self.attempts += 1
        if attempt == 0 and self.attempts % 100 == 0:
            raise Conflict(key)
        self.store.put(key, value)


class Client:
    def __init__(self, target, pause):
        self.target, self.pause, self.conflicts = target, pause, 0

    def put(self, key, value):
        for attempt in range(5):
            with self.noting_conflicts():
                return self.target.compare_and_put(key, value, attempt)
            self.back_off(attempt)
        raise TimeoutError(key)

    @contextmanager
    def noting_conflicts(self):
        try:
            yield
        except Conflict:
            self.conflicts += 1

    def back_off(self, attempt):
        if self.pause:
            time.sleep(self.pause * 2**attempt)


def main():
    client, known, contents = Client(Versioned(), 0.0009 if PLANT else 0), keys(5000), values(500)

    def operation(i):
        client.put(known[i % 5000], contents[i % 500])
        client.target.store.get(known[(i * 13) % 5000])

    drive(operation)


if __name__ == "__main__":
    main()
