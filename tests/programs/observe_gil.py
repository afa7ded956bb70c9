"""Two threads that want the GIL all the time, for SECONDS."""

import sys
import threading
import time


def burn(end):
    total = 0
    while time.monotonic() < end:
        for number in range(1000):
            total += number


stop_at = time.monotonic() + float(sys.argv[1])
threads = [threading.Thread(target=burn, args=(stop_at,)) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
