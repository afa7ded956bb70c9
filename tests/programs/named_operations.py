"""Functions of all sorts in the main program and in a module of its own, each called a known number of times."""

import os
import sys
import time

import named_engine
from named_engine import put  # bound before anybody could wrap it later


class Journal:
    @staticmethod
    def encode(n):
        return bytes(n)

    @classmethod
    def open(cls, n):
        return cls, n

    def append(self, n):
        return n

    async def flush(self):
        pass


def main():
    engine, journal = named_engine.Engine(), Journal()
    calls = 0
    end = time.monotonic() + float(os.environ.get("RUN_SECONDS", "2"))
    while time.monotonic() < end:
        put(100)
        engine.get(1)
        journal.append(Journal.encode(Journal.open(3)[1]))
        calls += 1
    left = [name for name in os.environ if name.startswith("STOREPROF_O") or name == "STOREPROF_PYTHONPATH"]
    print(sys.argv[1:], os.environ.get("PYTHONPATH"), left, "sitecustomize" in sys.modules, sys.gettrace())
    print(f"calls={calls} site={getattr(sys, 'site_of_the_program', None)}")


if __name__ == "__main__":
    main()
