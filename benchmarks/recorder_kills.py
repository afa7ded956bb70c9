"""storeprof is killed at random moments, again and again: the program's output must be what it is without storeprof.

    python benchmarks/recorder_kills.py [--kills 1000]

The program carries probes in threads, coroutines and a forked child, and prints a running checksum for about a second.
Prints how many kills hit it while it ran; exit status 1 at the first output that differs.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import asyncio, os, sys, threading, time, zlib
from storeprof import profile_function, profile_memory_alloc, profile_operation, profile_scope
@profile_operation
def put(n):
    with profile_scope("checksum"):
        profile_memory_alloc("Row", n)
        return zlib.crc32(str(n).encode() * 50)
@profile_function
async def later(n):
    await asyncio.sleep(0)
    return put(n)
sums = [0] * 4
def work(k):
    for n in range(2000): sums[k] ^= put(n * 4 + k)
for batch in range(20):
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    if batch == 10:
        child = os.fork()
        if child == 0: put(1); os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(batch, asyncio.run(later(batch)), sums, flush=True)
    time.sleep(0.01)
print("end", flush=True)
"""


def one(folder: Path, script: Path, expected: bytes, after_s: float) -> bool | None:
    """Kill once; whether the program still ran (None: its output differs)."""
    output = folder / "output"
    command = [sys.executable, "-m", "storeprof", "record", "--no-perf", "--out", str(folder / "recording")]
    with output.open("wb") as file:
        recorder = subprocess.Popen(
            [*command, "--", sys.executable, str(script)],
            stdout=file,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(after_s)
        ended = recorder.poll() is not None
        recorder.send_signal(signal.SIGKILL)
        recorder.wait()
    for wait in range(600):  # the program goes on by itself
        if output.read_bytes().endswith(b"end\n"):
            break
        if wait == 100 and not output.read_bytes():
            return False  # killed before it was let go: it never began
        time.sleep(0.05)
    return None if output.read_bytes() != expected else not ended


def main() -> None:
    """Kill as often as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000, help="how many (default: 1000)")
    given = parser.parse_args()
    chance = random.Random(os.getpid())
    with tempfile.TemporaryDirectory() as name:
        script = Path(name, "program.py")
        script.write_text(PROGRAM)
        expected = subprocess.run([sys.executable, str(script)], check=True, capture_output=True).stdout
        hits = 0
        for number in range(given.kills):
            folder = Path(name, str(number))
            folder.mkdir()
            after_s = chance.uniform(0.2, 2.2)
            hit = one(folder, script, expected, after_s)
            if hit is None:
                sys.exit(
                    f"kill {number} after {after_s:.3f} s: the output differs, see {(folder / 'output').read_bytes()!r}"
                )
            hits += hit
            if (number + 1) % 50 == 0:
                print(f"{number + 1} kills, {hits} while the program ran", file=sys.stderr, flush=True)
    print(f"{given.kills} kills, {hits} of them while the program ran: its output was the same every time")


if __name__ == "__main__":
    main()
