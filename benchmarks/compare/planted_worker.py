"""A worker of the slice protocol with a planted slowdown: `planted_worker.py KIND PERCENT DIR`.

Each operation is work of about 100 us of one kind: `cpu` computes; `lock` waits for a lock that another thread holds
while it computes; `io` writes blocks of a file over. PERCENT is how much more of it the operation does.
"""

import os
import random
import sys
import threading
import time
from pathlib import Path

kind, slower, folder = sys.argv[1], float(sys.argv[2]) / 100, Path(sys.argv[3])
ROUNDS, BLOCKS = 1500, 60
block = bytes(4096)
file = os.open(folder / "data", os.O_RDWR | os.O_CREAT)
lock, wanted = threading.Lock(), threading.Semaphore(0)
held = threading.Semaphore(0)
amount = 0


def compute(rounds: int) -> int:
    """Plain work on the CPU."""
    x = 1
    for _ in range(rounds):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    return x


def hold() -> None:
    """The other thread: takes the lock when asked, computes, lets go."""
    while True:
        wanted.acquire()
        with lock:
            held.release()
            compute(amount)


def operation(factor: float) -> None:
    """One operation, `factor` times the usual size."""
    global amount  # noqa: PLW0603 (the program under study: as plain as can be)
    if kind == "cpu":
        compute(int(ROUNDS * factor))
    elif kind == "lock":
        amount = int(ROUNDS * factor)
        wanted.release()
        held.acquire()
        with lock:
            pass
    else:
        for at in range(int(BLOCKS * factor)):
            os.pwrite(file, block, at * len(block))


def main() -> None:
    """Answer `run N SEED` until the input ends."""
    threading.Thread(target=hold, daemon=True).start()
    print("ready storeprof-slices 1", flush=True)
    for line in sys.stdin:
        _, count, seed = line.split()
        chance = random.Random(int(seed))
        plan = [(3.0 if chance.random() < 0.02 else 1.0) * (1 + slower) for _ in range(int(count))]
        took = []
        cpu, start = time.process_time_ns(), time.perf_counter_ns()
        for factor in plan:
            began = time.perf_counter_ns()
            operation(factor)
            took.append(time.perf_counter_ns() - began)
        seconds, spent = (time.perf_counter_ns() - start) / 1e9, (time.process_time_ns() - cpu) / 1e9
        print(
            f"did ops={count} seconds={seconds:.9f} cpu={spent:.9f} latency.op={','.join(map(str, took))}", flush=True
        )


main()
