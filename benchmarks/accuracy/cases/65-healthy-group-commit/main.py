"""Healthy: the log is synced once for thousands of records; the sync is seen but small."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os

from engine_parts import Store, drive, encode, keys, values
from lsm.engine import scratch


class GroupCommitLog:
    def __init__(self, folder, group=40_000):
        self.fd = os.open(os.path.join(folder, "wal"), os.O_CREAT | os.O_WRONLY)
        self.group = group
        self.waiting = []
        self.records = 0

    def append(self, record):
        self.waiting.append(record)
        self.records += 1
        if len(self.waiting) >= 200:
            self.write_out()
        if self.records % self.group == 0:
            self.commit()

    def write_out(self):
        os.pwrite(self.fd, b"".join(self.waiting), 0)
        self.waiting.clear()

    def commit(self):
        os.fdatasync(self.fd)


def main():
    known, contents, store = keys(5000), values(500), Store()
    with scratch() as folder:
        log = GroupCommitLog(folder)

        def operation(i):
            key, value = known[i % 5000], contents[i % 500]
            store.put(key, value)
            log.append(value)
            store.get(known[(i * 13) % 5000])

        assert encode(known[0], contents[0])
        drive(operation)


if __name__ == "__main__":
    main()
