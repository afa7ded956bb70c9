"""CPU time of a process tree that no look stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.recording.journal import Journal
from storeprof.recording.schema import JournalTable
from storeprof.session.tabulate import last_lines, process_lines


def note_not_observed(meta: dict[str, Any], journal: Journal) -> None:
    """Complete `processes` of recording.json: what the tree used less what its observed threads used.

    The start of an observed process, before it was first looked at, counts as observed.
    """
    found = meta.get("processes")
    if found:
        cpu_s = found["cpu_s"]
        found["cpu_s_not_observed"] = None if cpu_s is None else round(max(0.0, cpu_s - threads_cpu_s(journal)), 4)


def threads_cpu_s(journal: Journal) -> float:
    """CPU time of all observed threads within the recording; a thread that went through exec counts once."""
    rows = journal.packed[JournalTable.THREAD_TIME]
    processes = process_lines(journal)
    size = int(rows["thread"].max()) + 1 if len(rows) else 0
    lowest, highest = np.full(size, np.iinfo(np.int64).max), np.zeros(size, dtype=np.int64)
    np.minimum.at(lowest, rows["thread"], rows["run_ns"].astype(np.int64))
    np.maximum.at(highest, rows["thread"], rows["run_ns"].astype(np.int64))
    spans: dict[tuple[int, ...], tuple[int, int]] = {}
    for number, line in last_lines(journal, JournalTable.THREADS, "thread").items():
        process = processes.get(line["process"])
        if process is None or number >= size:
            continue
        key = (process["pid"], line["tid"], line["start_ticks"])
        begun = int(lowest[number]) if process.get("before") else 0
        first, last = spans.get(key, (begun, 0))
        spans[key] = min(first, begun), max(last, int(highest[number]))
    return sum(max(0, last - first) for first, last in spans.values()) / 1e9
