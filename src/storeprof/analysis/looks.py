"""Looks and control totals of the analysed window, as arrays; the input of the accounting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Looks:
    """Looks of the window, ordered by thread and time; threads are indices into `thread_ids`.

    `reason` holds names; `stack`, `resource`, `holder` are -1 where there is none, `node` and `op_seq` 0. `gc`: the
    thread was collecting garbage; `faults`: its minor faults since its last look.
    """

    thread_ids: Array
    thread: Array
    t_ns: Array
    weight_ns: Array
    reason: Array
    stack: Array
    resource: Array
    holder: Array
    node: Array
    op_seq: Array
    quality: Array
    syscall: Array
    gc: Array
    faults: Array

    def __len__(self) -> int:
        return len(self.t_ns)


@dataclass(frozen=True)
class ThreadTime:
    """Control totals of the window: differences of the kernel's counters per thread, ordered by thread and time."""

    thread: Array
    t0_ns: Array
    t1_ns: Array
    run_ns: Array
    delay_ns: Array


def load_threads(recording: Recording) -> Array:
    """Ids of all threads; their index is what the other arrays use."""
    return recording.sql("SELECT thread_id FROM threads ORDER BY first_ns, thread_id")["thread_id"]


def load_looks(recording: Recording, thread_ids: Array) -> Looks:
    """Read the looks of the window."""
    start, end = recording.window
    rows = recording.sql(
        """
        SELECT thread_id, t_ns, weight_ns, reason, coalesce(py_stack_id, -1) AS stack,
               coalesce(resource_id, -1) AS resource, coalesce(holder_thread_id, -1) AS holder,
               coalesce(scope_node, 0) AS node, coalesce(op_seq, 0) AS op_seq, quality,
               coalesce(syscall, -2) AS syscall, coalesce(gc, false) AS gc, coalesce(faults, 0) AS faults
        FROM looks WHERE t_ns >= ? AND t_ns <= ? ORDER BY t_ns
        """,
        [start, end],
    )
    thread = index_of(thread_ids, rows["thread_id"])
    order = np.lexsort((rows["t_ns"], thread))
    holder = np.where(rows["holder"] < 0, -1, index_of(thread_ids, rows["holder"]))
    return Looks(
        thread_ids=thread_ids,
        thread=thread[order],
        t_ns=rows["t_ns"][order],
        weight_ns=rows["weight_ns"][order].astype(np.float64),
        reason=rows["reason"].astype(object)[order],
        stack=rows["stack"][order],
        resource=rows["resource"][order],
        holder=holder[order],
        node=rows["node"][order],
        op_seq=rows["op_seq"][order],
        quality=rows["quality"].astype(object)[order],
        syscall=rows["syscall"][order],
        gc=rows["gc"][order],
        faults=rows["faults"][order],
    )


def load_thread_time(recording: Recording, thread_ids: Array) -> ThreadTime:
    """Read the control totals, those that stick out of the window cut in proportion."""
    start, end = recording.window
    rows = recording.sql(
        """
        WITH cut AS (
            SELECT *, greatest(t0_ns, $1) AS c0, least(t1_ns, $2) AS c1 FROM thread_time
            WHERE t1_ns > $1 AND t0_ns < $2 AND t1_ns > t0_ns
        )
        SELECT thread_id, c0, c1, run_ns * ((c1 - c0) / (t1_ns - t0_ns)) AS run_ns,
               delay_ns * ((c1 - c0) / (t1_ns - t0_ns)) AS delay_ns
        FROM cut ORDER BY c0
        """,
        [start, end],
    )
    thread = index_of(thread_ids, rows["thread_id"])
    order = np.lexsort((rows["c0"], thread))
    return ThreadTime(
        thread=thread[order],
        t0_ns=rows["c0"][order],
        t1_ns=rows["c1"][order],
        run_ns=rows["run_ns"][order].astype(np.float64),
        delay_ns=rows["delay_ns"][order].astype(np.float64),
    )


def index_of(thread_ids: Array, wanted: Array) -> Array:
    """Positions of ids in `thread_ids`; -1 for an id that is not there."""
    if len(thread_ids) == 0:
        return np.full(len(wanted), -1)
    order = np.argsort(thread_ids, kind="stable")
    found = np.clip(np.searchsorted(thread_ids[order], wanted), 0, len(thread_ids) - 1)
    positions = order[found]
    return np.where(thread_ids[positions] == wanted, positions, -1)
