"""Commits wait for the future of a single-thread executor that writes to a slow device."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import time
from concurrent.futures import Future, ThreadPoolExecutor

from engine_parts import PLANT, Store, drive, keys, values


class SlowDevice:
    """Answers after a while, as a disk behind a network does."""

    latency = 0.002

    def write(self, blocks):
        time.sleep(self.latency)
        return sum(map(len, blocks))


class CommitLog:
    def __init__(self, device):
        self.device = device
        self.flusher = ThreadPoolExecutor(max_workers=1)
        self.pending = []
        self.last: Future | None = None

    def append(self, record):
        self.pending.append(record)
        if len(self.pending) >= 250:
            self.commit()

    def commit(self):
        blocks, self.pending = self.pending, []
        if PLANT:
            self.flusher.submit(self.device.write, blocks).result()
        else:
            self.flusher.submit(len, blocks)


def main():
    log, store, known, contents = CommitLog(SlowDevice()), Store(), keys(5000), values(500)

    def operation(i):
        key, value = known[i % 5000], contents[i % 500]
        store.put(key, value)
        log.append(value)

    drive(operation)
    log.flusher.shutdown()


if __name__ == "__main__":
    main()
