"""How many operations were done when: from probes, or from `ops=` lines that the program prints again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.context import Context
from storeprof.analysis.operations import Operation

Array = np.ndarray[Any, Any]

MOST_WINDOWS = 40


@dataclass(frozen=True)
class OperationsOverTime:
    """Consecutive windows of the run: `edges_ns` (one more than windows), operations done in each, the time they took.

    `name` is None for the program's own count, whose `seconds` are the wall time it reports.
    """

    name: str | None
    nodes: tuple[int, ...]
    edges_ns: Array
    count: Array
    seconds: Array

    @property
    def done(self) -> Array:
        """Operations done up to the middle of each window."""
        before: Array = np.cumsum(self.count) - self.count / 2.0
        return before


def operations_over_time(context: Context) -> list[OperationsOverTime]:
    """One series per operation; the program's own count only where no probe counts. Empty without any."""
    probed = [_from_probes(context, operation) for operation in context.operations.operations]
    found = [series for series in probed if series is not None]
    counted = _from_lines(context)
    return found or ([counted] if counted else [])


def _from_probes(context: Context, operation: Operation) -> OperationsOverTime | None:
    start, end = context.recording.window
    inside = ", ".join(map(str, operation.nodes))
    rows = context.recording.sql(
        f"""
        SELECT t1_ns, min(t0_ns) AS t0_ns, sum(count)::DOUBLE AS n, sum(total_ns) / 1e9 AS seconds FROM scope_slices
        WHERE node IN ({inside}) AND t0_ns >= ? AND t1_ns <= ? AND count > 0 GROUP BY t1_ns ORDER BY t1_ns
        """,
        [start, end + 1_500_000_000],
    )
    if len(rows["n"]) == 0:
        return None
    nodes = tuple(node for node, name in context.operations.operation_of_node.items() if name == operation.name)
    edges = np.concatenate([rows["t0_ns"][:1], rows["t1_ns"]])
    return _merged(OperationsOverTime(operation.name, nodes, edges, rows["n"], rows["seconds"]))


def _from_lines(context: Context) -> OperationsOverTime | None:
    start, end = context.recording.window
    rows = [row for row in context.recording.meta.get("program_counts") or [] if row["ops"] and start <= row["t_ns"]]
    if not rows:
        return None
    times = np.array([row["t_ns"] for row in rows], dtype=np.int64)
    first = rows[0]["seconds"]
    begin = max(start, int(times[0] - first * 1e9)) if first is not None else start
    edges = np.concatenate([[begin], np.minimum(times, end)])
    count = np.array([row["ops"] for row in rows], dtype=np.float64)
    return _merged(OperationsOverTime(None, (), edges, count, np.diff(edges) / 1e9))


def _merged(series: OperationsOverTime) -> OperationsOverTime:
    """The series with no more windows than are useful, neighbours joined, and without a short rest at the end."""
    each = -(-len(series.count) // MOST_WINDOWS)
    first = np.arange(0, len(series.count), each)
    lengths = np.diff(np.append(series.edges_ns[first], series.edges_ns[-1]))
    if len(first) > 1 and lengths[-1] < 0.5 * np.median(lengths):
        first = first[:-1]
    return OperationsOverTime(
        series.name, series.nodes, np.append(series.edges_ns[first], series.edges_ns[-1]),
        np.add.reduceat(series.count, first), np.add.reduceat(series.seconds, first),
    )  # fmt: skip
