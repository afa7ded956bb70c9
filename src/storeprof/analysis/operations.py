"""Operations of the program: which scopes they are, how many, how long, and where their wall time went.

An operation is a scope said to be one, or an outermost scope below nothing but drivers (docs/formats/shared-memory.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CATEGORIES, Charges
from storeprof.analysis.describe import sums_by
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]

DRIVER, SAID_OUTRIGHT = 1, 2
BEYOND = 10  # a percentile needs this many operations beyond it
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}


@dataclass(frozen=True)
class Histogram:
    """Latencies: bucket edges in seconds and counts, and the largest seen in the run.

    `cases`: how many equally weighted operations tell as much; None: as many as are counted.
    """

    low_s: Array
    high_s: Array
    count: Array
    max_s: float | None
    cases: float | None = None

    def quantile(self, q: float) -> float | None:
        """A percentile by linear interpolation in its bucket; None where too few operations lie beyond it."""
        total = float(self.count.sum()) if self.cases is None else self.cases
        if total * (1.0 - q) < BEYOND:
            return None
        at, inside = self._bucket(q)
        low, high = float(self.low_s[at]), float(self.high_s[at])
        return low + inside * (high - low)

    def edges(self, q: float) -> tuple[float, float]:
        """Edges in seconds of the bucket that a percentile lies in; there must be operations."""
        at, _ = self._bucket(q)
        return float(self.low_s[at]), float(self.high_s[at])

    def _bucket(self, q: float) -> tuple[int, float]:
        """The bucket a percentile lies in, and how far into it."""
        order = np.argsort(self.low_s)
        reached = np.cumsum(self.count[order])
        wanted = q * float(reached[-1])
        at = int(np.searchsorted(reached, wanted))
        inside_count = float(self.count[order[at]])
        return int(order[at]), (wanted - (float(reached[at]) - inside_count)) / inside_count

    def as_document(self) -> dict[str, float | None]:
        """P50, P95, P99, P99.9 and maximum in seconds."""
        values = {name: self.quantile(q) for name, q in QUANTILES.items()}
        return {name: _rounded(value) for name, value in {**values, "max": self.max_s}.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


@dataclass(frozen=True)
class Operation:
    """One operation, summed over all places it stands in the scope tree."""

    name: str
    nodes: tuple[int, ...]
    count: int
    total_s: float
    latency: Histogram


@dataclass(frozen=True)
class OperationTree:
    """Operations by name, and which operation each scope node lies in."""

    operations: tuple[Operation, ...]
    operation_of_node: dict[int, str]
    measured_s: float

    def commonest(self, rows: Charges) -> str | None:
        """The operation that most of the rows lie in, if over half do."""
        ranked = sums_by(self.operation_of(rows.node), rows.weight_ns)
        if not ranked or ranked[0][0] < 0 or ranked[0][1] <= 0.5:
            return None
        return self.names[ranked[0][0]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all operations that nodes lie in."""
        return tuple(dict.fromkeys(self.operation_of_node.values()))

    def operation_of(self, node: Array) -> Array:
        """Position in `names` of the operation that each node lies in; -1 for none."""
        index = {name: position for position, name in enumerate(self.names)}
        table = np.full(max(self.operation_of_node, default=0) + 1, -1, dtype=np.int32)
        for one, name in self.operation_of_node.items():
            table[one] = index[name]
        return np.where(node < len(table), table.take(node, mode="clip"), -1)

    def cost_per_operation(self, seconds: float, unit: str | None) -> dict[str, Any] | None:
        """Wall seconds of a cost per operation of the run; None when operations are unknown."""
        count = sum(operation.count for operation in self.operations)
        if not count:
            return None
        return {"count": None, "unit": unit, "seconds": float(f"{seconds / count:.4g}")}

    def wall_times(self, busy: Charges) -> dict[str, dict[str, float]]:
        """Per operation the shares of its busy wall time; they add up to one; empty without a look inside."""
        inside = busy.where(busy.op_seq != 0)
        operation = self.operation_of(inside.node)
        inside, operation = inside.where(operation >= 0), operation[operation >= 0]
        cell = operation * len(CATEGORIES) + inside.category
        size = len(self.names) * len(CATEGORIES)
        sums = np.bincount(cell, weights=inside.weight_ns, minlength=size).reshape(-1, len(CATEGORIES))
        return {name: _shares(row) for name, row in zip(self.names, sums, strict=True)}


def _shares(sums: Array) -> dict[str, float]:
    total = float(sums.sum())
    return {key: round(float(value) / total, 4) for key, value in zip(CATEGORIES, sums, strict=True)} if total else {}


def load_operations(recording: Recording) -> OperationTree:
    """Read the scope tree and the operations within the window."""
    nodes = recording.sql("SELECT node, parent, name, flags FROM scope_nodes ORDER BY node")
    parent = dict(zip(nodes["node"].tolist(), np.ma.filled(nodes["parent"], 0).tolist(), strict=True))
    name = dict(zip(nodes["node"].tolist(), nodes["name"].tolist(), strict=True))
    flags = dict(zip(nodes["node"].tolist(), np.ma.filled(nodes["flags"], 0).tolist(), strict=True))
    roots = operation_roots(parent, flags)
    members: dict[str, list[int]] = {}
    for node in sorted({root for root in roots.values() if root}):
        members.setdefault(name[node], []).append(node)
    start, end = slice_window(recording)
    operations = [_operation(recording, key, tuple(ids), start, end) for key, ids in members.items()]
    counted = sorted((one for one in operations if one.count), key=lambda one: -one.total_s)
    return OperationTree(
        tuple(counted), {node: name[root] for node, root in roots.items() if root}, (end - start) / 1e9
    )


def operation_roots(parent: dict[int, int], flags: dict[int, int]) -> dict[int, int]:
    """For each node the node of the operation it lies in, 0 for drivers and what encloses operations."""
    encloses: set[int] = set()
    for node, flag in flags.items():
        if flag & SAID_OUTRIGHT:
            at = parent[node]
            while at:
                encloses.add(at)
                at = parent.get(at, 0)
    root: dict[int, int] = {0: 0}
    for node in sorted(parent):  # parents have smaller numbers than their children
        above = root.get(parent[node], 0)
        is_driver = bool(flags[node] & DRIVER) or node in encloses
        if flags[node] & SAID_OUTRIGHT:
            root[node] = above or node
        else:
            root[node] = above or (0 if is_driver else node)
    del root[0]
    return root


def slice_window(recording: Recording) -> tuple[int, int]:
    """The window in whole slices: scopes are counted once a second, so counts and time must share their edges."""
    start, end = recording.window
    rows = recording.sql(
        "SELECT min(t0_ns) AS a, max(t1_ns) AS b FROM scope_slices WHERE t0_ns >= ? AND t1_ns <= ?",
        [start, end + 1_500_000_000],
    )
    first, last = rows["a"][0], rows["b"][0]
    if np.ma.is_masked(first) or last <= first:
        return start, end
    return int(first), min(int(last), max(end, int(first) + 1))


def _operation(recording: Recording, name: str, nodes: tuple[int, ...], start: int, end: int) -> Operation:
    inside = f"node IN ({', '.join(map(str, nodes))}) AND t1_ns > {start} AND t1_ns <= {end + 1_500_000_000}"
    sums = recording.sql(
        f"SELECT coalesce(sum(count), 0) AS n, coalesce(sum(total_ns), 0) AS total, max(max_ns) AS longest "
        f"FROM scope_slices WHERE {inside}"
    )
    buckets = recording.sql(
        f"SELECT low_ns, high_ns, sum(count) AS n FROM scope_histograms WHERE {inside} GROUP BY ALL ORDER BY low_ns"
    )
    longest = sums["longest"][0]
    latency = Histogram(
        buckets["low_ns"] / 1e9,
        buckets["high_ns"] / 1e9,
        buckets["n"].astype(np.float64),
        _longest(longest, buckets["high_ns"]),
    )
    return Operation(name, nodes, int(sums["n"][0]), float(sums["total"][0]) / 1e9, latency)


def _longest(of_run: Any, upper_edges: Array) -> float | None:
    """The largest latency of the window: the run's, unless the window's highest bucket ends below it."""
    if np.ma.is_masked(of_run) or len(upper_edges) == 0:
        return None
    return min(float(of_run), float(upper_edges.max())) / 1e9


def merged_latency(operations: tuple[Operation, ...]) -> Histogram | None:
    """Latencies of all operations together, each as often as it was done; None without any.

    Of cheap operations fewer are timed than of dear ones: a timed one stands for as many as were done for each. What
    that leaves of the number of cases is Kish's effective sample size (Survey Sampling, 1965).
    """
    timed = [operation for operation in operations if operation.latency.count.sum() > 0]
    if not timed:
        return None
    parts = [operation.latency for operation in timed]
    longest = [part.max_s for part in parts if part.max_s is not None]
    seen = np.array([part.count.sum() for part in parts])
    stands_for = np.array([operation.count for operation in timed]) / seen
    return Histogram(
        np.concatenate([part.low_s for part in parts]),
        np.concatenate([part.high_s for part in parts]),
        np.concatenate([part.count * one for part, one in zip(parts, stands_for, strict=True)]),
        max(longest) if longest else None,
        float((seen * stands_for).sum() ** 2 / (seen * stands_for**2).sum()),
    )
