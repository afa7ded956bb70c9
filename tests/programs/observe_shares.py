"""Spends 30 % of its time in `thirty` and 70 % in `seventy`, by the clock, for SECONDS."""

import sys
import time

now = time.perf_counter


def thirty(until):
    while now() < until:
        pass


def seventy(until):
    while now() < until:
        pass


def cycle():
    begin = now()
    thirty(begin + 0.003)
    seventy(now() + 0.007)


end = now() + float(sys.argv[1])
while now() < end:
    cycle()
