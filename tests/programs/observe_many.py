"""500 threads that sleep most of the time, until standard input ends."""

import os
import sys
import threading
import time


def doze():
    while True:
        time.sleep(0.05)


for _ in range(500):
    threading.Thread(target=doze, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
