"""Totals of a program's probes, read while it runs (docs/formats/shared-memory.md)."""

from __future__ import annotations

import numpy as np
from probe_memory import open_memory, python

from storeprof.observe.probe_totals import ProbeTotals
from storeprof.recording.schema import JOURNAL_DTYPES, JournalTable

PROGRAM = """
@profile_function
def put(): time.sleep(0.001)
import time
for _ in range(3):
    put()
    hold()
"""


def test_the_last_timed_call_is_in_the_histograms_once() -> None:
    """However often the totals are read, histograms hold every timed call once, the newest one included."""
    totals = ProbeTotals(cpu_share=1.0)
    in_buckets = 0
    with python(PROGRAM) as program:
        totals.follow(1, open_memory(program.process.pid), program.process.pid)
        for calls in (1, 2, 3):
            for _ in range(2):
                frames = dict(totals.take(last=True))
                rows = frames.get(JournalTable.SCOPE_HISTOGRAMS, b"")
                in_buckets += int(np.frombuffer(rows, JOURNAL_DTYPES[JournalTable.SCOPE_HISTOGRAMS])["count"].sum())
                assert in_buckets == calls
            program.go_on()
