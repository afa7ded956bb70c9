"""SQLite store: a commit for every row."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import sqlite3
import tempfile
import time

from engine_parts import PLANT, RUN_SECONDS
from even_stages import work


class Rows:
    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.execute("create table rows (id integer primary key, body text)")
        self.db.commit()
        self.since = 0

    def add(self, i, body):
        self.db.execute("insert into rows values (?, ?)", (i, body))
        self.since += 1
        if self.since >= (1 if PLANT else 2000):
            self.db.commit()
            self.since = 0


def drive(rows):
    i, start = 0, time.monotonic()
    while time.monotonic() < start + RUN_SECONDS:
        rows.add(i, f"value {sum(work(i + d) for d in range(4))}")
        i += 1
    return i, time.monotonic() - start


with tempfile.TemporaryDirectory(dir=".", prefix="data-") as d:
    n, s = drive(Rows(os.path.join(d, "rows.db")))
print(f"ops={n} seconds={s:.3f}")
