"""Everything in one main(): blocks are packed right in the loop."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import time
import zlib

from engine_parts import PLANT, RUN_SECONDS
from even_stages import work


def main():
    n, start, out, block = 0, time.monotonic(), 0, bytearray()
    while time.monotonic() < start + RUN_SECONDS:
        block += b"%d;" % work(n)
        n += 1
        if len(block) > 4000:
            for _ in range(48 if PLANT else 1):
                out += len(zlib.compress(block, 9))
            block.clear()
    print(f"ops={n} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
