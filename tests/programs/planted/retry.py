"""sleep-wait: a full buffer is polled with a sleep, deep inside the put."""

import time

from engine_parts import Store, drive, keys, values


class Buffer:
    def __init__(self):
        self.used = 0

    def reserve(self, size):
        if self.used + size > 40_000:
            self.wait_for_room()
        self.used += size

    def wait_for_room(self):
        time.sleep(0.003)
        self.used = 0


def main():
    store, buffer, known, contents = Store(), Buffer(), keys(5000), values(500)

    def operation(i):
        key, value = known[i % 5000], contents[i % 500]
        buffer.reserve(len(value))
        store.put(key, value)

    drive(operation)


if __name__ == "__main__":
    main()
