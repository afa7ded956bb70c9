"""A worker of the slice protocol whose operations can be made slower: SLOWER=percent, KIND=cpu, lock or io."""

import os
import random
import sys
import threading
import time

slower = float(os.environ.get("SLOWER", "0")) / 100
kind = os.environ.get("KIND", "cpu")
path = os.path.join(sys.argv[1] if len(sys.argv) > 1 else ".", "log")
log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
lock = threading.Lock()


def work(rounds):
    x = 1
    for _ in range(rounds):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    return x


def held(rounds):
    with lock:
        work(rounds)


def put(rounds):
    extra = int(rounds * slower)
    if kind == "lock":
        work(rounds)
        thread = threading.Thread(target=held, args=(extra,))
        thread.start()
        with lock:
            pass
        thread.join()
    else:
        work(rounds + extra)
    os.write(log, b"x" * 64)


print("hello, this line is not part of the protocol", flush=True)
print("ready storeprof-slices 1", flush=True)
for line in sys.stdin:
    _, count, seed = line.split()
    chance = random.Random(int(seed))
    plan = [600 if chance.random() < 0.02 else 100 for _ in range(int(count))]
    took = []
    start = time.perf_counter_ns()
    for rounds in plan:
        began = time.perf_counter_ns()
        put(rounds)
        took.append(time.perf_counter_ns() - began)
    seconds = (time.perf_counter_ns() - start) / 1e9
    if os.environ.get("DIE_AFTER") == seed:
        sys.exit("worker: out of luck")
    print(f"did ops={count} seconds={seconds:.9f} latency.put={','.join(map(str, took))}", flush=True)
