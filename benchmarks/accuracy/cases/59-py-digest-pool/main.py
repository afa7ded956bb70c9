"""A pool of verifier threads, four for each CPU; hashing large blocks releases the interpreter."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from engine_parts import PLANT, RUN_SECONDS, Counters


class Verifier:
    def __init__(self, blocks):
        self.blocks = blocks
        self.expected = [hashlib.blake2b(block).digest() for block in blocks]
        self.local = threading.local()
        self.damaged = 0

    def verify(self, number):
        if hashlib.blake2b(self.blocks[number]).digest() != self.expected[number]:
            self.damaged += 1
        self.note(number)

    def note(self, number):
        if not hasattr(self.local, "counters"):
            self.local.counters = Counters()
        self.local.counters.put(len(self.blocks[number]))


def main():
    verifier = Verifier([os.urandom(1 << 20) for _ in range(6)])
    workers = (4 if PLANT else 1) * len(os.sched_getaffinity(0))
    start = time.monotonic()
    end = start + RUN_SECONDS

    def scrub(first):
        done = 0
        while time.monotonic() < end:
            verifier.verify((first + done) % 6)
            done += 1
        return done

    with ThreadPoolExecutor(workers, thread_name_prefix="scrub") as pool:
        done = sum(pool.map(scrub, range(workers)))
    print(f"ops={done} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
