"""A writer whose memtable is full polls for the end of the background flush with a sleep."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import threading
import time

from engine_parts import PLANT, Store, drive, keys, values
from lsm.engine import scratch


class BackgroundFlush(threading.Thread):
    """Writes what it was handed; says when it is done."""

    def __init__(self, folder):
        super().__init__(name="flush", daemon=True)
        self.path = os.path.join(folder, "run")
        self.handed = threading.Semaphore(0)
        self.rows, self.busy, self.written = [], False, 0

    def hand(self, rows):
        self.rows, self.busy = rows, True
        self.handed.release()

    def run(self):
        while self.handed.acquire():
            with open(self.path, "wb") as file:
                file.write(b"".join(self.rows))
            self.written += len(self.rows)
            self.busy = False


class Writer:
    def __init__(self, flush):
        self.store, self.flush, self.rows = Store(), flush, []

    def put(self, key, value):
        self.store.put(key, value)
        self.rows.append(value)
        if len(self.rows) == 250:
            self.switch()

    def switch(self):
        if not self.flush.busy:
            self.flush.hand(self.rows)
        self.rows = []
        if PLANT:
            self.wait_until_flushed()

    def wait_until_flushed(self, step=0.002):
        while self.flush.busy:
            time.sleep(step)


def main():
    known, contents = keys(5000), values(500)
    with scratch() as folder:
        flush = BackgroundFlush(folder)
        flush.start()
        writer = Writer(flush)
        drive(lambda i: writer.put(known[i % 5000], contents[i % 500]))
        writer.wait_until_flushed()


if __name__ == "__main__":
    main()
