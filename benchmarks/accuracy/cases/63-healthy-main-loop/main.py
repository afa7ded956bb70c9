"""Healthy: everything is called from one long loop in main; its time is spread over many small functions."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import time

from engine_parts import RUN_SECONDS, Store, keys, values


def decide(i):
    return "scan" if i % 16 == 0 else "put" if i % 2 else "get"


def main():
    store, known, contents = Store(), keys(5000), values(500)
    window = [known[n : n + 6] for n in range(0, 4800, 6)]
    counts = dict.fromkeys(("scan", "put", "get"), 0)
    start = time.monotonic()
    end = start + RUN_SECONDS
    i = 0
    while i % 50 or time.monotonic() < end:
        action = decide(i)
        if action == "put":
            store.put(known[i % 5000], contents[i % 500])
        elif action == "get":
            store.get(known[(i * 13) % 5000])
        else:
            for key in window[i % 800]:
                store.get(key)
        counts[action] += 1
        i += 1
    print(f"ops={sum(counts.values())} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
