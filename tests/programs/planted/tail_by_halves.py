"""tail-latency with two causes: in the first half every 60th read sleeps, in the second it compacts the table."""

import tempfile
import time

from engine_parts import RUN_SECONDS
from tail_engine import Paused, Runs


class Changing(Runs):
    def __init__(self, folder, changes_at):
        super().__init__(folder)
        self.changes_at = changes_at

    def compact(self):
        if time.monotonic() < self.changes_at:
            Paused.compact(self)
        else:
            Runs.compact(self)


def main():
    with tempfile.TemporaryDirectory(prefix="data-", dir=".") as folder:
        start = time.monotonic()
        runs, count = Changing(folder, start + RUN_SECONDS / 2), 0
        while time.monotonic() < start + RUN_SECONDS:
            runs.read(count * 7)
            runs.scan(count * 13)
            count += 1
        print(f"ops={count} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
