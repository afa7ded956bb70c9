"""Spends three quarters of its CPU time in `hot` and a quarter in `mild`, for SECONDS; another thread only sleeps."""

import sys
import threading
import time


def hot():
    total = 0
    for number in range(3000):
        total += number
    return total


def mild():
    total = 0
    for number in range(1000):
        total += number
    return total


def nap(end):
    while time.monotonic() < end:
        time.sleep(0.01)


stop_at = time.monotonic() + float(sys.argv[1])
sleeper = threading.Thread(target=nap, args=(stop_at,))
sleeper.start()
while time.monotonic() < stop_at:
    hot()
    mild()
sleeper.join()
