"""Store with probes: each put looks its file up in a list of all files, and a file is added every few hundred puts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

from engine_parts import PLANT, Store, drive, keys, values

from storeprof import profile_operation

PUTS_PER_FILE = 300


class Catalogue:
    """Which file holds which range of keys."""

    def __init__(self):
        self.files = []
        self.by_name = {}

    def add(self, name):
        self.by_name[name] = len(self.files)
        self.files.append((name, len(self.files)))

    def find(self, name):
        if not PLANT:
            return self.by_name[name]
        for known, number in self.files:
            if known == name:
                return number
        raise KeyError(name)


class Engine:
    def __init__(self):
        self.store, self.catalogue = Store(), Catalogue()
        self.catalogue.add("file-000000")
        self.puts = 0
        self.newest = "file-000000"

    @profile_operation("put")
    def put(self, key, value):
        self.store.put(key, value)
        self.place(key)

    def place(self, key):
        self.puts += 1
        if self.puts % PUTS_PER_FILE == 0:
            self.newest = f"file-{self.puts // PUTS_PER_FILE:06d}"
            self.catalogue.add(self.newest)
        return self.catalogue.find(self.newest)


def main():
    names, bodies = keys(3000), values(997)
    engine = Engine()

    def operation(i):
        engine.put(names[i % 3000], bodies[i % 997])
        engine.store.get(names[(i * 7) % 3000])

    drive(operation)


if __name__ == "__main__":
    main()
