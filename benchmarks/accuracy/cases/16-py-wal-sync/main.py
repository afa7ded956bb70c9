"""A log that syncs after every record, through a decorator that makes writers durable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import functools
import os

from engine_parts import PLANT, Store, drive, encode, keys, values
from lsm.engine import scratch

GROUP = 1 if PLANT else 512


def durable(write):
    """Sync the log after every GROUP writes."""
    pending = 0

    @functools.wraps(write)
    def synced(self, record):
        nonlocal pending
        write(self, record)
        pending += 1
        if pending >= GROUP:
            os.fsync(self.fd)
            pending = 0

    return synced


class Journal:
    def __init__(self, folder):
        self.fd = os.open(os.path.join(folder, "journal"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.size = 0

    @durable
    def append(self, record):
        os.write(self.fd, record)
        self.size += len(record)
        if self.size > 8 << 20:
            self.restart()

    def restart(self):
        os.ftruncate(self.fd, 0)
        self.size = 0

    def close(self):
        os.close(self.fd)


def main():
    known, contents, store = keys(5000), values(500), Store()
    with scratch() as folder:
        journal = Journal(folder)

        def operation(i):
            key, value = known[i % 5000], contents[i % 500]
            if i % 5 == 0:
                journal.append(encode(key, value))
                store.put(key, value)
            else:
                store.get(known[(i * 13) % 5000])

        drive(operation)
        journal.close()


if __name__ == "__main__":
    main()
