"""Recordings put together from other tools' files: what stands for looks, and what such files can and can't say.

Nobody looked at the program and no kernel stated totals, so what there is stands for both: a CPU sample is a look at a
running thread, a thread's total is the sum of its samples. Shares are those of the samples; what the files do not hold
is said in coverage and nowhere guessed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.intervals import BLOCK_NS
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]

BLOCKS = 40
WITHOUT_CALLERS = ("gprof", "cachegrind", "callgrind")
# Looks where there are some; of processes without any, CPU samples.
LOOKS = """(
    SELECT t_ns, thread_id, weight_ns, reason, quality, py_stack_id, NULL::BIGINT AS holder_thread_id,
           NULL::INTEGER AS resource_id, NULL::INTEGER AS scope_node, NULL::BIGINT AS op_seq, NULL::INTEGER AS syscall,
           NULL::BOOLEAN AS gc, NULL::INTEGER AS faults
    FROM looks
    UNION ALL
    SELECT t_ns, c.thread_id, weight_ns, 'running', 'ok', stack_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM cpu_samples c JOIN threads t USING (thread_id)
    WHERE t.proc_id NOT IN (SELECT DISTINCT proc_id FROM threads JOIN looks USING (thread_id))
)"""


def imported(recording: Recording) -> dict[str, Any] | None:
    """What recording.json says of the files; None for a recording of our own."""
    found: dict[str, Any] | None = recording.meta.get("imported")
    return found


def time_is_known(recording: Recording) -> bool:
    """Whether weights are time; of an import they may be counts or cycles."""
    found = imported(recording)
    return found is None or bool(found["time_known"])


def callers_are_known(recording: Recording) -> bool:
    """Whether samples have callers: gprof and valgrind count by function alone."""
    found = imported(recording)
    return found is None or not any(row["format"] in WITHOUT_CALLERS for row in found["files"])


def duration_is_known(recording: Recording) -> bool:
    """Whether the length of the window is one that was measured."""
    found = imported(recording)
    return found is None or bool(found["duration_known"])


def shortest_block_ns(recording: Recording) -> int:
    """How short a block of an interval may be: a merged profile has no phases, only samples."""
    if imported(recording) is None:
        return BLOCK_NS
    start, end = recording.window
    return max(1, (end - start) // BLOCKS)


def waits_from_symbols(recording: Recording) -> bool:
    """Whether what ran is only known from symbols: then CPU time is not."""
    found = imported(recording)
    return found is not None and bool(found["wall_samples"])


def totals_of_looks(recording: Recording) -> dict[str, Array]:
    """Control totals where no kernel stated any: per thread one span as long as what was seen of it.

    Returns thread_id, c0, c1 (ns), run_ns, delay_ns, as `load_thread_time` reads them.
    """
    start, _ = recording.window
    rows = recording.sql(
        f"""
        SELECT thread_id, coalesce(sum(weight_ns) FILTER (reason = 'running'), 0) AS run, sum(weight_ns) AS whole
        FROM {LOOKS} GROUP BY thread_id
        """
    )
    whole = rows["whole"].astype(np.float64).astype(np.int64)
    begin = np.full(len(whole), start, dtype=np.int64)
    return {
        "thread_id": rows["thread_id"],
        "c0": begin,
        "c1": begin + np.maximum(whole, 1),
        "run_ns": rows["run"].astype(np.float64),
        "delay_ns": np.zeros(len(whole)),
    }
