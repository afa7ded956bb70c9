"""One event loop, at work for some 40 % of the time; it says its operations only when told to."""

import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "planted"))

from engine_parts import Store, keys, values


def write_and_read(store, key, content, other):
    store.put(key, content)
    store.get(other)


async def client(end):
    store, known, contents, done = Store(), keys(5000), values(500), 0
    while time.monotonic() < end:
        for i in range(done, done + 220):
            write_and_read(store, known[i % 5000], contents[i % 500], known[(i * 13) % 5000])
        done += 220
        await asyncio.sleep(0.002)
    return done


start = time.monotonic()
done = asyncio.run(client(start + 4))
if "--tell" in sys.argv:
    print(f"ops={done} seconds={time.monotonic() - start:.3f}")
