"""Ends as it is told. usage: signals.py polite|deaf|exit N"""

import os
import signal
import sys
import time

how = sys.argv[1]
if how == "exit":
    sys.exit(int(sys.argv[2]))
if how == "kill":
    os.kill(os.getpid(), int(sys.argv[2]))
if how == "deaf":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
try:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        sum(range(1000))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(3)
