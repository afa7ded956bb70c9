"""Two threads take turns at a lock; one function has a name full of markup; operations are counted."""

import os
import threading
import time

from storeprof import profile_operation

LOCK = threading.Lock()
SECONDS = float(os.environ.get("RUN_SECONDS", "3"))
MARKUP = "<img src=x onerror=alert(1)>;|`@all` *b* [l](x)"


def checksum(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


checksum.__code__ = checksum.__code__.replace(co_name=MARKUP, co_qualname=MARKUP)


@profile_operation("put")
def put():
    with LOCK:
        checksum(2000)
        time.sleep(0.002)


def work(end):
    while time.monotonic() < end:
        put()


def main():
    end = time.monotonic() + SECONDS
    threads = [threading.Thread(target=work, args=(end,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
