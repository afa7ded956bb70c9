"""lock-contention: a slow flush holds the lock that every writer needs."""

import threading
import time

from engine_parts import RUN_SECONDS, Store, keys, values


class SharedStore:
    def __init__(self):
        self.mutex = threading.Lock()
        self.store = Store()

    def put(self, key, value):
        with self.mutex:
            self.store.put(key, value)

    def flush(self):
        with self.mutex:
            time.sleep(0.02)  # stands for a write to a device that answers late


def main():
    store, known, contents = SharedStore(), keys(5000), values(500)
    start = time.monotonic()
    end = start + RUN_SECONDS
    count = [0, 0]

    def writer(number):
        i = number
        while time.monotonic() < end:
            for _ in range(50):
                store.put(known[i % 5000], contents[i % 500])
                i += 2
            count[number] += 50

    def flusher():
        while time.monotonic() < end:
            store.flush()
            time.sleep(0.02)

    threads = [threading.Thread(target=writer, args=(0,)), threading.Thread(target=flusher)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"ops={sum(count)} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
