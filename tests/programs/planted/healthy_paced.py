"""Healthy: a paced client, a worker that waits for work and a flusher that sleeps between flushes."""

import queue
import threading
import time

from engine_parts import RUN_SECONDS, Store, keys, values


def main():
    work, store, known, contents = queue.Queue(), Store(), keys(5000), values(500)
    ended = threading.Event()

    def worker():
        while (first := work.get()) is not None:
            for i in range(first, first + 200):
                store.put(known[i % 5000], contents[i % 500])
                store.get(known[(i * 13) % 5000])

    def flusher():
        while not ended.wait(0.2):
            store.get(known[0])

    threads = [threading.Thread(target=worker), threading.Thread(target=flusher)]
    for thread in threads:
        thread.start()
    start = time.monotonic()
    ops = 0
    while time.monotonic() < start + RUN_SECONDS:
        work.put(ops)
        ops += 200
        time.sleep(0.008)
    work.put(None)
    ended.set()
    for thread in threads:
        thread.join()
    print(f"ops={2 * ops} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
