"""Random reads of a mapped file whose pages the program itself sends away."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import mmap
import os
import random
import tempfile
import time

from engine_parts import PLANT, RUN_SECONDS
from even_stages import work

PAGES = 20_000


class Image:
    def __init__(self, path):
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)
        self.map.madvise(mmap.MADV_RANDOM)
        self.rng = random.Random(3)
        self.reads = 0

    def read(self):
        at = self.rng.randrange(PAGES) * 4096
        return self.map[at] + self.map[at + 100]

    def forget(self):
        self.map.madvise(mmap.MADV_DONTNEED)
        os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def get(self, i):
        self.reads += 1
        if PLANT and self.reads % 500 == 0:
            self.forget()
        n = self.read()
        for d in range(3):
            n += work(i + d)
        return n


with tempfile.TemporaryDirectory(dir=".", prefix="data-") as d:
    path = os.path.join(d, "image.dat")
    with open(path, "wb") as f:
        for _ in range(PAGES // 100):
            f.write(os.urandom(409_600))
        os.fsync(f.fileno())
    image, n, start = Image(path), 0, time.monotonic()
    while time.monotonic() < start + RUN_SECONDS:
        image.get(n)
        n += 1
    print(f"ops={n} seconds={time.monotonic() - start:.3f}")
