"""A log store in Python that feeds an indexer in C++, a process of its own, through a pipe."""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))
from engine_parts import RUN_SECONDS, Store, keys, values

BATCH = 100


class Indexer:
    """The indexer process; it reads one record a line and keeps postings of its terms."""

    def __init__(self):
        program = str(Path(__file__).with_name("indexer"))
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE)

    def feed(self, lines):
        self.process.stdin.write(b"".join(lines))
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class LogStore:
    def __init__(self):
        self.store = Store()
        self.indexer = Indexer()

    def append_batch(self, batch):
        for key, value in batch:
            self.store.put(key, value)
        self.indexer.feed([b"%s %s\n" % pair for pair in batch])


def main():
    names, bodies = keys(4000), values(500)
    records = [(names[i % len(names)], bodies[i % len(bodies)]) for i in range(8000)]
    store = LogStore()
    start, done = time.monotonic(), 0
    while time.monotonic() < start + RUN_SECONDS:
        at = done % len(records)
        store.append_batch(records[at : at + BATCH])
        done += BATCH
    store.indexer.close()
    print(f"ops={done} seconds={time.monotonic() - start:.3f}", flush=True)


if __name__ == "__main__":
    main()
