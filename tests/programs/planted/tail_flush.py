"""tail-latency: a put sometimes waits for a flush that compresses and writes while it holds the lock."""

import os
import threading
import time
import zlib

from engine_parts import RUN_SECONDS, Store, keys, values

from storeprof import profile_operation

PLANT = os.environ.get("PLANT", "1") != "0"


class SharedStore:
    def __init__(self):
        self.mutex = threading.Lock()
        self.store = Store()
        self.block = os.urandom(150_000)
        self.flushed = 0

    @profile_operation
    def put_batch(self, batch):
        with self.mutex:
            for key, value in batch:
                self.store.put(key, value)

    @profile_operation
    def get_batch(self, batch):
        for key, _ in batch:
            self.store.get(key)

    def flush(self):
        if PLANT:
            with self.mutex:
                self.write_table()
        else:
            self.write_table()

    def write_table(self):
        self.flushed += len(zlib.compress(self.block, 1))


def main():
    shared, known, contents = SharedStore(), keys(4000), values(4000)
    pairs = list(zip(known, contents, strict=True))
    batches = [pairs[i : i + 160] for i in range(0, len(pairs), 160)]
    shared.put_batch(pairs)
    end = time.monotonic() + RUN_SECONDS

    # One put in 66 finds a flush under way, on a fast machine and on a slow one: P99 does, and the lock stays well
    # under a tenth of the time, so that the tail is the finding.
    due = threading.Semaphore(0)

    def flusher():
        while time.monotonic() < end:
            due.acquire()
            shared.flush()

    thread = threading.Thread(target=flusher)
    thread.start()
    count = 0
    while time.monotonic() < end:
        if count % 66 == 0:
            due.release()
        shared.put_batch(batches[count % len(batches)])
        for step in range(1, 4):
            shared.get_batch(batches[(count * 3 + step) % len(batches)])
        count += 1
    due.release()
    thread.join()


if __name__ == "__main__":
    main()
