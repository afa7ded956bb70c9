"""Scatter and gather over four shards in a pool: the round waits for the one whose codec is dear."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import time
import zlib
from concurrent.futures import ThreadPoolExecutor, wait

from engine_parts import PLANT, RUN_SECONDS

PAYLOAD = bytes(range(256)) * 1500


def hot_pack(data):
    return zlib.crc32(data)


def cold_pack(data):
    return len(zlib.compress(data + os.urandom(20000), 9 if PLANT else 0))


SHARDS = [hot_pack, hot_pack, hot_pack, cold_pack]


def fan_out(pool, i):
    body = PAYLOAD[i % 251 :]
    wait([pool.submit(f, body) for f in SHARDS])


def f():
    from even_stages import work

    n, start = 0, time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        while time.monotonic() < start + RUN_SECONDS:
            for d in range(10):
                work(n + d)
            fan_out(pool, n)
            n += 1
    print(f"ops={n} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    f()
