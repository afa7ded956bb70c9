"""Three writers share a store whose lock is held while the digest of each segment is computed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import hashlib
import threading
import time
from collections import deque

from engine_parts import PLANT, RUN_SECONDS, Counters, Versions


class SegmentStore:
    def __init__(self):
        self.lock = threading.Lock()
        self.recent = deque(maxlen=32)
        self.digests = {}
        self.counters, self.versions = Counters(), Versions()

    def commit(self, name, segment):
        if PLANT:
            with self.lock:
                self.install(name, segment, self.digest(segment))
        else:
            digest = self.digest(segment)
            with self.lock:
                self.install(name, segment, digest)

    def digest(self, segment):
        return hashlib.sha3_256(segment).digest()

    def install(self, name, segment, digest):
        self.recent.append(segment)
        self.digests[name] = digest
        self.counters.put(len(segment))
        self.versions.bump(name)


class Ingest(threading.Thread):
    """Builds segments of its own and commits them."""

    def __init__(self, store, number, end):
        super().__init__(name=f"ingest-{number}")
        self.store, self.number, self.end = store, number, end
        self.base = bytes(range(256)) * 1200
        self.done = 0

    def run(self):
        while time.monotonic() < self.end:
            self.store.commit((self.number, self.done % 500), self.build())
            self.done += 1

    def build(self):
        header = b"%08d%08d" % (self.number, self.done)
        body = header + self.base
        return body + hashlib.sha1(body[:60_000]).digest()


def main():
    store, start = SegmentStore(), time.monotonic()
    writers = [Ingest(store, number, start + RUN_SECONDS) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    print(f"ops={sum(writer.done for writer in writers)} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
