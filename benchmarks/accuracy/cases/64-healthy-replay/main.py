"""Healthy: a start that replays a log and imports for a second or so, then balanced work."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import time

from engine_parts import RUN_SECONDS, Store, check, decode, encode, keys, values
from lsm.engine import scratch


class Recovery:
    """Reads a log of length-prefixed records from its beginning."""

    def __init__(self, path):
        self.path = path

    def records(self):
        with open(self.path, "rb") as file:
            while head := file.read(2):
                yield file.read(int.from_bytes(head, "little"))

    def replay(self, store):
        count = 0
        for record in self.records():
            check(record)
            store.table.insert(*decode(record))
            count += 1
        return count


def write_log(path, known, contents, count):
    with open(path, "wb") as file:
        for i in range(count):
            record = encode(known[i % 5000], contents[i % 500])
            file.write(len(record).to_bytes(2, "little") + record)


def main():
    import decimal
    import email.mime.multipart
    import json
    import sqlite3
    import xml.dom.minidom

    assert all((decimal, email, json, sqlite3, xml))
    known, contents, store = keys(5000), values(500), Store()
    start = time.monotonic()
    with scratch() as folder:
        path = os.path.join(folder, "log")
        write_log(path, known, contents, 60_000)
        replayed = Recovery(path).replay(store)
        done = 0
        while time.monotonic() < start + RUN_SECONDS:
            for i in range(done, done + 50):
                store.put(known[i % 5000], contents[i % 500])
                store.get(known[(i * 13) % 5000])
            done += 50
    assert replayed == 60_000
    print(f"ops={2 * done} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
