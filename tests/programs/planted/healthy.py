"""Healthy: the costs of a put and a get are spread over many small functions."""

import time

from engine_parts import RUN_SECONDS, Store, keys, values


def main():
    store, known, contents = Store(), keys(5000), values(500)
    start = time.monotonic()
    done = 0
    while time.monotonic() < start + RUN_SECONDS:
        for i in range(done, done + 50):
            store.put(known[i % 5000], contents[i % 500])
            store.get(known[(i * 13) % 5000])
        done += 50
    print(f"ops={2 * done} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
