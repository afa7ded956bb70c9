"""Two requests in a hundred carry forty times as many records and take forty times as long: nothing is wrong."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import RUN_SECONDS, Store, keys, values

from storeprof import profile_operation

SMALL, LARGE = 12, 480


class Service:
    def __init__(self):
        self.store = Store()
        self.known, self.contents = keys(4000), values(1000)
        for key in self.known:
            self.store.put(key, self.contents[0])

    def handle(self, first, size):
        with profile_operation("request"):
            self.write(first, size // 2)
            self.read(first, size - size // 2)

    def write(self, first, count):
        for i in range(first, first + count):
            self.store.put(self.known[i % 4000], self.contents[i % 1000])

    def read(self, first, count):
        for i in range(first, first + count):
            self.store.get(self.known[i * 7 % 4000])


def size_of(request):
    """Every fiftieth request, spread unevenly, is a bulk load."""
    return LARGE if request * 7919 % 50 == 3 else SMALL


def main():
    service = Service()
    count, start = 0, time.monotonic()
    while time.monotonic() < start + RUN_SECONDS:
        for _ in range(20):
            service.handle(count * 31, size_of(count))
            count += 1
    print(f"ops={count} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
