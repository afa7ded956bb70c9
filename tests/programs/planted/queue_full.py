"""dependency-wait: the writer waits on a full queue for a consumer whose device answers late."""

import queue
import threading
import time

from engine_parts import RUN_SECONDS, Store, keys, values


def store_block(block):
    time.sleep(0.004)  # stands for a device that answers late
    return len(block)


def checksum(number):
    return sum(number.to_bytes(512, "little")) & 0xFF


def enqueue(work, block):
    work.put(block)


def main():
    work, store, known, contents = queue.Queue(maxsize=2), Store(), keys(5000), values(500)
    start = time.monotonic()
    end = start + RUN_SECONDS
    done = [0]

    def writer():
        i = 0
        while time.monotonic() < end:
            block = []
            for _ in range(100):
                store.put(known[i % 5000], contents[i % 500])
                block.append(i)
                i += 1
            enqueue(work, block)
        done[0] = i
        work.put(None)

    def consumer():
        while (block := work.get()) is not None:
            store_block([checksum(i) for i in block])

    threads = [threading.Thread(target=writer), threading.Thread(target=consumer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"ops={done[0]} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
