"""One instrumented loop (write > wal) for SECONDS; prints how often each was called."""

import sys
import time

from storeprof.probe import profile_function, profile_memory_alloc, profile_memory_dealloc, profile_scope


@profile_function
def write():
    with profile_scope("wal"):
        time.sleep(0.002)
    profile_memory_alloc("Entry", 100)
    profile_memory_dealloc("Entry", 40)


calls = 0
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    write()
    calls += 1
print(calls, flush=True)
if len(sys.argv) > 2:
    sys.stdin.read()
