"""Starts and ends threads, ten at a time, for SECONDS; prints how many."""

import sys
import threading
import time


def short():
    time.sleep(0.03)


count = 0
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    threads = [threading.Thread(target=short) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count += len(threads)
print(count)
