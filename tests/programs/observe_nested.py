"""Nested calls that block in known lines, and a thread that collects garbage all the time; ends with standard input."""

import gc
import os
import sys
import threading

gc.disable()  # but for the thread that collects
pipe_read, pipe_write = os.pipe()
cycles = [[] for _ in range(200_000)]
for one in cycles:
    one.append(one)


class Store:
    def write(self):
        return self.append()

    def append(self):
        return [self.flush() for _ in range(1)]

    def flush(self):
        def sync():
            os.read(pipe_read, 1)  # LINE sync

        sync()  # LINE flush


def produce():
    for _ in range(3):
        yield os.read(pipe_read, 1)  # LINE produce


def delegate():
    yield from produce()  # LINE delegate


def consume():
    for _ in delegate():  # LINE consume
        pass


def größe():  # noqa: PLC2401
    os.read(pipe_read, 1)  # LINE größe


def collect():
    while True:
        gc.collect()


for target in (Store().write, consume, größe, collect):
    threading.Thread(target=target, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
