"""Two worker processes append under one flock, and work while they hold it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import contextlib
import fcntl
import os
import subprocess
import tempfile
import time

from engine_parts import PLANT, RUN_SECONDS
from even_stages import work


@contextlib.contextmanager
def exclusive(f):
    fcntl.flock(f, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(f, fcntl.LOCK_UN)


def encode(i):
    return b"%d" % sum(work(i + d) for d in range(30))


def append(lock, log, i):
    if PLANT:
        with exclusive(lock):
            log.write(encode(i))
    else:
        body = encode(i)
        with exclusive(lock):
            log.write(body)


def worker(folder, seconds):
    lock, log = open(os.path.join(folder, "dir.lock"), "w"), open(os.path.join(folder, "log"), "ab")
    n, start = 0, time.monotonic()
    while time.monotonic() < start + seconds:
        append(lock, log, n)
        n += 1
    print(n)


def main():
    with tempfile.TemporaryDirectory(dir=".", prefix="data-") as d:
        start = time.monotonic()
        ps = [subprocess.Popen([sys.executable, __file__, d], stdout=subprocess.PIPE) for _ in range(2)]
        n = sum(int(p.communicate()[0]) for p in ps)
        print(f"ops={n} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        worker(sys.argv[1], RUN_SECONDS)
    else:
        main()
