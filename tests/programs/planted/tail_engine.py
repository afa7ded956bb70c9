"""A small table of runs whose reads now and then compact it first, or sync a file; it imports nothing of storeprof."""

import os
import time

from engine_parts import PLANT, Store, keys, values

EVERY = 60


class Runs:
    def __init__(self, folder):
        self.store, self.known, self.contents = Store(), keys(3000), values(500)
        for i, key in enumerate(self.known):
            self.store.put(key, self.contents[i % 500])
        self.reads = 0
        self.log = os.open(os.path.join(folder, "reads.log"), os.O_CREAT | os.O_WRONLY)

    def read(self, first):
        self.reads += 1
        if PLANT and self.reads % EVERY == 0:
            self.compact()
        return [self.store.get(self.known[(first + i) % 3000]) for i in range(60)]

    def scan(self, first):
        return sum(len(self.store.get(self.known[(first + i) % 3000])[1]) for i in range(450))

    def compact(self):
        merged = sorted(zip(self.known, self.contents * 6, strict=True))
        for key, value in merged[:800]:
            self.store.put(key, value)

    def note(self, first):
        self.reads += 1
        if PLANT and self.reads % EVERY == 0:
            self.sync()
        return self.store.get(self.known[first % 3000])

    def sync(self):
        os.pwrite(self.log, b"r" * 4096, (self.reads % 100) * 4096)
        os.fsync(self.log)


class Paused(Runs):
    def compact(self):
        time.sleep(0.004)  # stands for a device that answers late
