"""The processes of a recording: whose thread is whose, their memory together, and what nobody looked at."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.accounting.looks import index_of
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]


def process_of_threads(recording: Recording, thread_ids: Array) -> Array:
    """Index of the process each thread belongs to; after exec it is another process."""
    rows = recording.sql("SELECT thread_id, proc_id FROM threads")
    owner = np.full(len(thread_ids), -1, dtype=np.int64)
    at = index_of(thread_ids, rows["thread_id"])
    _, number = np.unique(rows["proc_id"], return_inverse=True)
    owner[at] = number
    return owner


def not_observed_cpu_s(recording: Recording) -> float:
    """CPU time of children, or of parts of their lives, that nobody looked at, in seconds; 0 where it is unknown."""
    found = recording.meta.get("processes") or {}
    return float(found.get("cpu_s_not_observed") or 0.0)


def summed_memory(recording: Recording, kind: str) -> tuple[Array, Array]:
    """Memory of all processes together, as a step function.

    Returns times in ns and bytes from each time on: at each row the latest value of every process that was there, a
    process counting from its first to its last row.
    """
    start, end = recording.window
    rows = recording.sql(
        "SELECT t_ns, proc_id, bytes FROM memory WHERE kind = ? AND t_ns BETWEEN ? AND ? ORDER BY t_ns",
        [kind, start, end],
    )
    times = np.unique(rows["t_ns"])
    total = np.zeros(len(times), dtype=np.int64)
    for process in np.unique(rows["proc_id"]).tolist():
        mine = rows["proc_id"] == process
        own_t, own = rows["t_ns"][mine], rows["bytes"][mine]
        there = (times >= own_t[0]) & (times <= own_t[-1])
        total[there] += own[np.searchsorted(own_t, times[there], side="right") - 1]
    return times, total
