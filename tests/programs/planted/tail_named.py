"""tail-latency: every 60th read compacts the table first; with `pause` it sleeps, with `sync` it syncs a log."""

import sys
import tempfile
import time

from engine_parts import RUN_SECONDS
from tail_engine import Paused, Runs


def main():
    with tempfile.TemporaryDirectory(prefix="data-", dir=".") as folder:
        runs = (Paused if "pause" in sys.argv else Runs)(folder)
        start = time.monotonic()
        count = 0
        while time.monotonic() < start + RUN_SECONDS:
            (runs.note if "sync" in sys.argv else runs.read)(count * 7)
            runs.scan(count * 13)
            count += 1
        print(f"ops={count} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
