"""Looks and control totals of the analysed window, as arrays; the input of the accounting.

A recording may hold ten million looks, so columns are as narrow as their values allow and names are codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.analysis.imported.recording import LOOKS as IMPORTED_LOOKS
from storeprof.analysis.imported.recording import imported, totals_of_looks
from storeprof.recording.model import Recording
from storeprof.recording.schema import QUALITIES, REASONS

Array = np.ndarray[Any, Any]


def _code(column: str, names: tuple[str, ...], otherwise: str) -> str:
    """SQL for the position of a column's value in `names`; a name that is not there (yet) counts as `otherwise`."""
    listed = ", ".join(f"'{name}'" for name in names)
    code = f"enum_code(TRY_CAST({column} AS ENUM({listed})))"
    return f"CAST(coalesce({code}, {names.index(otherwise)}) AS UTINYINT) AS {column}_code"


_LOOKS = f"""
    thread_id, t_ns, CAST(weight_ns AS FLOAT) AS weight_ns, coalesce(holder_thread_id, -1) AS holder,
    {_code("reason", REASONS, "unknown")}, {_code("quality", QUALITIES, "none")},
    coalesce(py_stack_id, -1) AS stack, coalesce(resource_id, -1) AS resource, coalesce(scope_node, 0) AS node,
    CAST(coalesce(op_seq, 0) AS UINTEGER) AS op_seq, CAST(coalesce(syscall, -2) AS SMALLINT) AS syscall,
    coalesce(gc, false) AS gc, coalesce(faults, 0) AS faults
"""
MOST_LOOKS = 2_000_000
SLOT_NS = 5_000_000


@dataclass(frozen=True)
class Looks:
    """Looks of the window, ordered by thread and time; threads are indices into `thread_ids`.

    `reason_code` and `quality_code` are positions in REASONS and QUALITIES (`because` and `read_as` pick by name);
    `stack`, `resource`, `holder` are -1 where there is none, `node` and `op_seq` 0, `syscall` -2. `gc`: the thread was
    collecting garbage; `faults`: its minor faults since its last look. `ordered`: times are real; False where an import
    had to make an order up.
    """

    thread_ids: Array
    thread: Array
    t_ns: Array
    weight_ns: Array
    reason_code: Array
    stack: Array
    resource: Array
    holder: Array
    node: Array
    op_seq: Array
    quality_code: Array
    syscall: Array
    gc: Array
    faults: Array
    ordered: bool = True

    def __len__(self) -> int:
        return len(self.t_ns)

    def because(self, *reasons: str) -> Array:
        """Mask of the looks with one of these reasons."""
        return _is_one_of(self.reason_code, REASONS, reasons)

    def read_as(self, *qualities: str) -> Array:
        """Mask of the looks whose Python stack is of one of these qualities."""
        return _is_one_of(self.quality_code, QUALITIES, qualities)

    def of_thread(self, thread: int) -> slice:
        """Where the looks at one thread stand."""
        return slice(int(self._starts[thread]), int(self._starts[thread + 1]))

    @cached_property
    def _starts(self) -> Array:
        return starts(self.thread, len(self.thread_ids))


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
    table = IMPORTED_LOOKS if imported(recording) else "looks"
    rows, each = read_thinned(recording, _LOOKS, table, MOST_LOOKS)
    thread = index_of(thread_ids, rows.pop("thread_id"))
    order = by_thread_and_time(thread, rows["t_ns"])
    rows["holder"] = index_of(thread_ids, rows["holder"])
    rows["weight_ns"] *= each
    rows["faults"] *= each
    ordered = bool((imported(recording) or {}).get("ordered", True))
    columns = {name: rows[name].take(order) for name in rows}
    return Looks(thread_ids=thread_ids, thread=thread.take(order), ordered=ordered, **columns)


def read_thinned(recording: Recording, columns: str, table: str, most: int) -> tuple[dict[str, Array], int]:
    """Rows of a table within the window, and how many each of them stands for.

    Of more than `most` rows those in slots of 5 ms are kept that a hash picks, the same slots in every table: millions
    say no more than that, and what was seen at one moment stays together (docs/decisions/0010).
    """
    start, end = recording.window
    inside = f"FROM {table} WHERE t_ns BETWEEN {start} AND {end}"
    count = int(recording.sql(f"SELECT count(*) AS n {inside}")["n"][0])
    each = 1
    while count > most * each:
        each *= 2
    kept = "" if each == 1 else f" AND hash((t_ns - {start}) // {SLOT_NS}) % {each} = 0"
    return recording.sql(f"SELECT {columns} {inside}{kept}"), each


def load_thread_time(recording: Recording, thread_ids: Array) -> ThreadTime:
    """Read the control totals, those that stick out of the window cut in proportion."""
    rows = totals_of_looks(recording) if imported(recording) else _cut_to_window(recording)
    thread = index_of(thread_ids, rows["thread_id"])
    order = by_thread_and_time(thread, rows["c0"])
    return ThreadTime(
        thread=thread[order],
        t0_ns=rows["c0"][order],
        t1_ns=rows["c1"][order],
        run_ns=rows["run_ns"][order].astype(np.float64),
        delay_ns=rows["delay_ns"][order].astype(np.float64),
    )


def _cut_to_window(recording: Recording) -> dict[str, Array]:
    start, end = recording.window
    return recording.sql(
        """
        WITH cut AS (
            SELECT *, greatest(t0_ns, $1) AS c0, least(t1_ns, $2) AS c1 FROM thread_time
            WHERE t1_ns > $1 AND t0_ns < $2 AND t1_ns > t0_ns
        )
        SELECT thread_id, c0, c1, run_ns * ((c1 - c0) / (t1_ns - t0_ns)) AS run_ns,
               delay_ns * ((c1 - c0) / (t1_ns - t0_ns)) AS delay_ns
        FROM cut
        """,
        [start, end],
    )


def woken_part(recording: Recording, thread_ids: Array) -> Array:
    """Part of each thread's switches that began with a wait: as much of its queueing follows one. 0 where unknown."""
    found = np.zeros(len(thread_ids))
    if imported(recording):
        return found
    start, end = recording.window
    rows = recording.sql(
        """
        SELECT thread_id, sum(voluntary_switches) AS waits, sum(voluntary_switches + involuntary_switches) AS n
        FROM thread_time WHERE t1_ns > ? AND t0_ns < ? GROUP BY thread_id HAVING n > 0
        """,
        [start, end],
    )
    at = index_of(thread_ids, rows["thread_id"])
    found[at] = rows["waits"].astype(np.float64) / rows["n"].astype(np.float64)
    return found


def index_of(thread_ids: Array, wanted: Array) -> Array:
    """Positions of ids in `thread_ids`; -1 for an id that is not there."""
    if len(thread_ids) == 0:
        return np.full(len(wanted), -1, dtype=np.int32)
    order = np.argsort(thread_ids, kind="stable")
    known = thread_ids[order]
    found = np.searchsorted(known, wanted)
    np.minimum(found, len(known) - 1, out=found)
    result = order.astype(np.int32).take(found)
    result[known.take(found) != wanted] = -1
    return result


def by_thread_and_time(thread: Array, t_ns: Array) -> Array:
    """The order by thread, then time.

    Rows come nearly in order of time, which a stable sort is quick at; threads are few, and 16-bit numbers are sorted
    by counting.
    """
    narrow = thread.astype(np.int16) if len(thread) and thread.max() < np.iinfo(np.int16).max else thread
    return np.lexsort((t_ns, narrow))


def starts(thread: Array, threads: int) -> Array:
    """Where the rows of each thread begin in rows ordered by thread, and as the last element where they end."""
    return np.searchsorted(thread, np.arange(threads + 1, dtype=thread.dtype))


def _is_one_of(codes: Array, names: tuple[str, ...], wanted: tuple[str, ...]) -> Array:
    picked = np.zeros(len(names), dtype=bool)
    picked[[names.index(name) for name in wanted]] = True
    return picked[codes]
