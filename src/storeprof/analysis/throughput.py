"""Operations per second of the run: the number, where it comes from, and its interval where slices are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.context import Context
from storeprof.analysis.intervals import Estimate, rate_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Throughput:
    """Operations per second (None: unknown), with its 95 % interval where at least eight slices of time say so.

    `count`: the operations themselves. Work that was counted is of these, however long they took.
    """

    per_s: float | None
    source: str
    interval: Estimate | None = None
    count: int | None = None

    def as_list(self) -> list[float] | None:
        """[low, high] of the interval; None without one."""
        return [round(self.interval.low, 3), round(self.interval.high, 3)] if self.interval else None


def throughput(context: Context) -> Throughput:
    """Operations per second of the run.

    The program's own count goes first: it knows what it calls an operation. A count without slices of its own takes its
    relative error from the probes' slices.
    """
    per_s, count, source, slices = _counted(context)
    if per_s is None:
        return Throughput(None, source)
    seen = rate_of(*(slices if slices else _slices_of_probes(context)))
    if seen is None:
        return Throughput(per_s, source, None, count)
    interval = Estimate(per_s, per_s * seen.low / seen.value, per_s * seen.high / seen.value)
    return Throughput(per_s, source, interval, count)


def _counted(context: Context) -> tuple[float | None, int, str, tuple[Array, Array] | None]:
    """Operations per second and in all, where they are from, and counts and seconds per slice where it has several."""
    meta, duration = context.recording.meta, context.recording.duration_s
    driven = meta.get("driven")
    if driven and driven.get("ops") and duration > 0:
        return driven["ops"] / duration, driven["ops"], "the driver's count", None
    counts = meta.get("program_counts") or []
    if counts:
        # Lines are increments. A pattern of the user's may give operations alone: they took the whole run then.
        timed = [row for row in counts if row["seconds"] is not None]
        seconds = sum(row["seconds"] for row in timed) if timed else duration
        ops = sum(row["ops"] for row in timed or counts)
        per_s = ops / seconds if seconds > 0 else None
        slices = (np.array([row[name] for row in timed], dtype=np.float64) for name in ("ops", "seconds"))
        several = tuple(slices) if len(timed) > 1 else None
        return per_s, ops, "the program's ops= line", several  # type: ignore[return-value]
    stated = (driven or {}).get("operations")  # of a window, read from the probes at both its ends
    if stated and duration > 0:
        return sum(stated.values()) / duration, sum(stated.values()), "probes", None
    tree = context.operations
    if tree.operations and tree.measured_s > 0:
        ops = sum(one.count for one in tree.operations)
        return ops / tree.measured_s, ops, "probes", None
    return None, 0, "unknown", None


def _slices_of_probes(context: Context) -> tuple[Array, Array]:
    """Operations and seconds of each second in which the probes were read; empty without probes."""
    nodes = [node for operation in context.operations.operations for node in operation.nodes]
    start, end = context.recording.window
    rows = context.recording.sql(
        f"""
        SELECT max(t1_ns - t0_ns) AS length,
               coalesce(sum(count) FILTER (node IN ({", ".join(map(str, nodes or [0]))})), 0) AS n
        FROM scope_slices WHERE t0_ns >= ? AND t1_ns <= ? GROUP BY t1_ns ORDER BY t1_ns
        """,
        [start, end],
    )
    return rows["n"].astype(np.float64), rows["length"].astype(np.float64) / 1e9
