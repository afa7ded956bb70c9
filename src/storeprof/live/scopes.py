"""What a program's probes counted over the last seconds: operations with their rate and percentiles."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.operations import Histogram, operation_roots
from storeprof.live.names import json_lines
from storeprof.session.tabulate_scopes import bucket_edges, short_names

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Rate:
    """Operations of one name over the last seconds; percentiles in seconds, None where too few lie beyond."""

    per_s: float
    p50_s: float | None
    p99_s: float | None


class Scopes:
    """Counts and latencies of one process's scope tree, kept for `window_ns`.

    What the probes had counted before the first row is no part of any rate.
    """

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._nodes: dict[int, dict[str, Any]] = {}
        self._flags: dict[int, int] = {}
        self._counts: dict[int, deque[tuple[int, int]]] = {}
        self._buckets: deque[Array] = deque()
        self._first_ns: int | None = None
        self._last_ns = 0
        self._of_record: dict[int, int] = {}
        self._operations: dict[int, str] | None = None
        self.ns_per_tick = 1.0

    def learn_nodes(self, payload: bytes) -> None:
        """Lines of table `scope_nodes`."""
        for row in json_lines(payload):
            if "node" in row:
                self._nodes[row["node"]] = row
                self._of_record[row["record"]] = row["node"]
                self._operations = None

    def count(self, rows: Array) -> None:
        """Rows of table `scope_counts`."""
        t_ns = int(rows["t_ns"].max())
        first = self._first_ns is None
        self._first_ns = t_ns if first else self._first_ns
        self._last_ns = t_ns
        for node, flags, count in zip(
            rows["node"].tolist(), rows["flags"].tolist(), rows["count"].tolist(), strict=True
        ):
            if self._flags.get(node) != flags:
                self._flags[node] = flags
                self._operations = None
            if node not in self._counts:
                self._counts[node] = deque([(t_ns, count)] if first else [(t_ns - 1_000_000_000, 0), (t_ns, count)])
            else:
                self._counts[node].append((t_ns, count))

    def measure(self, rows: Array) -> None:
        """Rows of table `scope_histograms`; those of the first count are of the time before."""
        if self._first_ns is not None:
            self._buckets.append(rows)

    def operation_of(self, record: int) -> str | None:
        """The operation that a record in the probe's memory lies in."""
        return self._names.get(self._of_record.get(record, 0))

    def rates(self) -> dict[str, Rate]:
        """Operations that were finished in the window, by name."""
        start = self._last_ns - self._window_ns
        while self._buckets and int(self._buckets[0]["t_ns"][0]) <= start:
            self._buckets.popleft()
        per_s: dict[str, float] = {}
        for node, name in self._roots.items():
            rate = self._rate(self._counts.get(node), start)
            if rate > 0:
                per_s[name] = per_s.get(name, 0.0) + rate
        latencies = self._latencies()
        return {
            name: Rate(rate, *(latencies[name].quantile(q) if name in latencies else None for q in (0.5, 0.99)))
            for name, rate in per_s.items()
        }

    def _rate(self, counts: deque[tuple[int, int]] | None, start: int) -> float:
        if not counts:
            return 0.0
        while len(counts) > 1 and counts[1][0] <= start:
            counts.popleft()
        since = max(counts[0][0], start)
        return (counts[-1][1] - counts[0][1]) / max(1e-9, (self._last_ns - since) / 1e9)

    def _latencies(self) -> dict[str, Histogram]:
        if not self._buckets:
            return {}
        rows = np.concatenate(list(self._buckets))
        names = list(dict.fromkeys(self._roots.values()))
        number = np.full(max(int(rows["node"].max()), *self._roots, 0) + 1, -1)
        for node, name in self._roots.items():
            number[node] = names.index(name)
        operation = number[rows["node"]]
        size = int(rows["bucket"].max()) + 1
        kept = operation >= 0
        cell = operation[kept] * size + rows["bucket"][kept]
        counted = np.bincount(cell, weights=rows["count"][kept], minlength=len(names) * size).reshape(-1, size)
        low, high = (edges * (self.ns_per_tick / 1e9) for edges in bucket_edges(np.arange(size)))
        return {name: Histogram(low, high, counts, None) for name, counts in zip(names, counted, strict=True)}

    @property
    def _names(self) -> dict[int, str]:
        """Operation that each node lies in."""
        if self._operations is None:
            parents = {number: row["parent"] for number, row in self._nodes.items()}
            roots = operation_roots(parents, {number: self._flags.get(number, 0) for number in self._nodes})
            names = dict(zip(self._nodes, short_names(list(self._nodes.values())), strict=True))
            self._operations = {node: names[root] or "?" for node, root in roots.items() if root}
            self._roots_of = {root: names[root] or "?" for root in roots.values() if root}
        return self._operations

    @property
    def _roots(self) -> dict[int, str]:
        """Operations by the node they are."""
        _ = self._names
        return self._roots_of
