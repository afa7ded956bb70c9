"""Two clients with engines of their own, both in pure Python: the interpreter's lock lets one run at a time."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import threading
import time

from engine_parts import PLANT, RUN_SECONDS, Store, keys, values

KEYS, VALUES = keys(5000), values(500)


def client(number, end):
    store, i = Store(), number
    while time.monotonic() < end:
        for _ in range(50):
            store.put(KEYS[i % 5000], VALUES[i % 500])
            store.get(KEYS[(i * 13) % 5000])
            i += 1
    return i - number


def in_threads(count, end):
    done = [0] * count

    def serve(number):
        done[number] = client(number, end)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def in_processes(count, end):
    """The same clients without the shared interpreter: each in a process that reports through a pipe."""
    readers = []
    for number in range(count):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, b"%d" % client(number, end))
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    done = sum(int(os.read(reader, 64)) for reader in readers)
    for _ in readers:
        os.wait()
    return done


if __name__ == "__main__":
    start = time.monotonic()
    operations = (in_threads if PLANT else in_processes)(2, start + RUN_SECONDS)
    print(f"ops={operations} seconds={time.monotonic() - start:.3f}")
