"""One event loop, at work for some 40 % of the time on any machine; it says its operations only when told to."""

import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "planted"))

from engine_parts import Store, keys, values

WORKING_S, SLEEPING_S = 0.0015, 0.0022


def wanted(known, number):
    at = number % 4990
    return known[at : at + 3]


def look_up(store, others):
    for other in others:
        store.find(other)


def write_and_read(store, known, content, number):
    """Several cheap parts, so that none of them is a tenth of the whole, the caller's loop neither."""
    key = known[number % 5000]
    store.put(key, content)
    look_up(store, wanted(known, number))
    store.get(key)


async def client(end):
    store, known, contents, done = Store(), keys(5000), values(500), 0
    while (begun := time.monotonic()) < end:
        while time.monotonic() < begun + WORKING_S:
            for number in range(done, done + 20):
                write_and_read(store, known, contents[number % 500], number)
            done += 20
        await asyncio.sleep(SLEEPING_S)
    return done


start = time.monotonic()
done = asyncio.run(client(start + 6))
if "--tell" in sys.argv:
    print(f"ops={done} seconds={time.monotonic() - start:.3f}")
