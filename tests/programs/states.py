"""Programs that spend their time in one known state. usage: states.py STATE SECONDS"""

import mmap
import os
import queue
import random
import socket
import sys
import tempfile
import threading
import time


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def until(end):
    while time.monotonic() < end:
        yield


def held_lock(end):
    lock = threading.Lock()

    def holder():
        for _ in until(end):
            with lock:
                time.sleep(0.02)

    def contender():
        for _ in until(end):
            acquire_for_put(lock)

    run(holder, contender)


def acquire_for_put(lock):
    with lock:
        spin(0.0002)


def consumer_waits(end):
    work = queue.Queue()

    def consumer():
        while (item := work.get()) is not None:
            spin(item)

    def producer():
        for _ in until(end):
            spin(0.001)
            work.put(0.0005)
            time.sleep(0.03)
        work.put(None)

    run(consumer, producer)


def producer_waits(end):
    work = queue.Queue(maxsize=4)

    def consumer():
        while (item := work.get()) is not None:
            handle_slowly(item)

    def producer():
        for _ in until(end):
            submit(work, 0.003)
        work.put(None)

    run(consumer, producer)


def handle_slowly(seconds):
    time.sleep(seconds)  # as a device that answers late: spinning would hold the GIL that the producer then waits for


def submit(work, item):
    work.put(item)


def two_cpu_bound(end):
    def first():
        for _ in until(end):
            burn_first()

    def second():
        for _ in until(end):
            burn_second()

    run(first, second)


def burn_first():
    return sum(i * i for i in range(3000))


def burn_second():
    return sum(i ^ 5 for i in range(3000))


def fsync_loop(end):
    with open("log", "wb", buffering=0) as file:
        for _ in until(end):
            append_record(file)


def append_record(file):
    file.write(b"x" * 400)
    os.fsync(file.fileno())


def mapped_cold(end):
    size = 64 << 20
    with open("data", "wb") as file:
        file.write(os.urandom(1 << 20) * 64)
        file.flush()
        os.fsync(file.fileno())
    order = list(range(0, size, 1 << 16))
    random.Random(1).shuffle(order)
    with open("data", "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        mapping = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        mapping.madvise(mmap.MADV_RANDOM)
        total = 0
        for _ in until(end):
            for offset in order[:256]:
                total += touch(mapping, offset)
            mapping.madvise(mmap.MADV_DONTNEED)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        mapping.close()


def touch(mapping, offset):
    return mapping[offset]


def pipe(end):
    reading, writing = os.pipe()

    def writer():
        for _ in until(end):
            time.sleep(0.004)
            os.write(writing, b"x")
        os.close(writing)

    def reader():
        while request_reply(reading):
            spin(0.0005)

    run(reader, writer)


def request_reply(reading):
    return os.read(reading, 1)


def socket_pair(end):
    client, server = socket.socketpair()

    def serve():
        while server.recv(1):
            time.sleep(0.004)
            server.send(b"y")

    def ask():
        for _ in until(end):
            fetch(client)
            spin(0.0005)
        client.close()

    run(serve, ask)


def fetch(client):
    client.send(b"x")
    client.recv(1)


def sleep_in_loop(end):
    for _ in until(end):
        spin(0.002)
        time.sleep(0.02)


def sleep_deep(end):
    for _ in until(end):
        write_with_retry()


def write_with_retry():
    spin(0.002)
    back_off()


def back_off():
    time.sleep(0.02)


def more_threads_than_cores(end):
    """Processes' worth of CPU without the GIL: hashing large buffers releases it."""
    import hashlib

    data = b"x" * (1 << 20)

    def worker():
        for _ in until(end):
            digest(hashlib, data)

    run(*[worker] * (3 * len(os.sched_getaffinity(0))))


def digest(hashlib, data):
    return hashlib.sha256(data).digest()


def run(*functions):
    threads = [threading.Thread(target=function, name=function.__name__) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    state, seconds = sys.argv[1], float(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="state-", dir=".") as folder:
        os.chdir(folder)
        globals()[state](time.monotonic() + seconds)
        os.chdir("..")


if __name__ == "__main__":
    main()
