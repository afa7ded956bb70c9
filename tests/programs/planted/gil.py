"""gil-contention: a compaction in pure Python runs beside the writer."""

import threading
import time

from engine_parts import RUN_SECONDS, Store, decode, encode, keys, values


def compact(records):
    live = {}
    for record in records:
        key, value = decode(record)
        live[key] = value
    return len(live)


def main():
    store, known, contents = Store(), keys(5000), values(500)
    records = [encode(key, contents[i % 500]) for i, key in enumerate(known)]
    start = time.monotonic()
    end = start + RUN_SECONDS
    done = [0]

    def writer():
        i = 0
        while time.monotonic() < end:
            for _ in range(50):
                store.put(known[i % 5000], contents[i % 500])
                i += 1
            done[0] = i

    def compactor():
        while time.monotonic() < end:
            compact(records)

    threads = [threading.Thread(target=writer), threading.Thread(target=compactor)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"ops={done[0]} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
