"""Row store: a lambda of the module parses timestamps with strptime."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import time
from datetime import datetime

from engine_parts import PLANT, RUN_SECONDS
from even_stages import work

when = (lambda t: datetime.strptime(t, "%Y-%m-%dT%H:%M:%S.%f")) if PLANT else datetime.fromisoformat


def ingest(line):
    t, v = line.split(" ")
    at = when(t)
    return at.second + int(v)


lines = [f"2024-0{1 + i % 9}-1{i % 9}T0{i % 9}:1{i % 9}:2{i % 9}.{i:06d} {i}" for i in range(500)]
done, start = 0, time.monotonic()
while time.monotonic() < start + RUN_SECONDS:
    for line in lines:
        work(ingest(line))
        done += 1
print(f"ops={done} seconds={time.monotonic() - start:.3f}")
