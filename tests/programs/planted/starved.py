"""cpu-starvation: three times as many hashing threads as CPUs (hashing large buffers needs no GIL)."""

import hashlib
import os
import threading
import time

from engine_parts import RUN_SECONDS


def seal(block):
    return hashlib.sha256(block).digest()


def main():
    threads_wanted = 3 * len(os.sched_getaffinity(0))
    blocks = [os.urandom(1 << 20) for _ in range(4)]
    start = time.monotonic()
    end = start + RUN_SECONDS
    counts = [0] * threads_wanted

    def writer(number):
        while time.monotonic() < end:
            seal(blocks[number % 4])
            counts[number] += 1

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(threads_wanted)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"ops={sum(counts)} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
