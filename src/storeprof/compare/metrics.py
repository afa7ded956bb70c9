"""What is compared: metrics by name, their units, which way is better, and how their change is measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from storeprof.analysis.accounting.charges import CATEGORIES

Scale = Literal["ratio", "part", "count"]
PERCENTILES = ("p50", "p95", "p99", "p999")


@dataclass(frozen=True, slots=True)
class Metric:
    """One question. `operation`: the operation (or scope, or tag) it is about, None for the whole program.

    `scale`: how a change is measured: `ratio` on the log scale; `part` against the whole that it is a part of, so that
    a thousandth that doubles is no news; `count` against the larger side, for what may be zero. `primary`: a comparison
    is settled once its primary metrics are.
    """

    name: str
    operation: str | None
    unit: str
    better: Literal["lower", "higher"] = "lower"
    scale: Scale = "ratio"
    primary: bool = False

    @property
    def key(self) -> tuple[str, str | None]:
        """What tells it from other metrics."""
        return self.name, self.operation

    @property
    def words(self) -> str:
        """Name without its operation, as words."""
        return self.name.removeprefix("latency_").replace("_", " ")

    @property
    def label(self) -> str:
        """Name with its operation, for people."""
        return f"{self.name} of {self.operation}" if self.operation else self.name


Key = tuple[str, str | None]
WALL = "busy_wall_per_operation"
WALL_PART = "wall_time."
TAG = "memory_tag"
CALLS = "calls_per_operation"
WORK = {
    "fsyncs": "1/op", "system_calls": "1/op", "read_ops": "1/op", "write_ops": "1/op", "net_calls": "1/op",
    "read_bytes": "B/op", "written_bytes": "B/op", "net_bytes": "B/op", "allocated_bytes": "B/op",
    "allocations": "1/op", "context_switches": "1/op", "preemptions": "1/op", "page_faults": "1/op",
    "major_faults": "1/op",
}  # fmt: skip
_WHOLE = (
    Metric("throughput", None, "1/s", better="higher", primary=True),
    Metric("run_time", None, "s", primary=True),
    Metric("cpu_per_operation", None, "s", primary=True),
    Metric(WALL, None, "s"),
    Metric("memory_peak", None, "B"),
    Metric("memory_mean", None, "B"),
)


def metric_of(key: Key) -> Metric:
    """The metric of a name. Raises KeyError for a name that nothing measures."""
    name, operation = key
    whole = next((metric for metric in _WHOLE if metric.key == key), None)
    part, work = name.removeprefix(WALL_PART), name.removesuffix("_per_operation")
    if whole is not None:
        found = whole
    elif name.removeprefix("latency_") in PERCENTILES:
        found = Metric(name, operation, "s", primary=name == "latency_p50")
    elif name == "throughput":
        found = Metric(name, operation, "1/s", better="higher")
    elif name == TAG:
        found = Metric(name, operation, "B")
    elif part != name and part in CATEGORIES:
        found = Metric(name, operation, "s", scale="part")
    elif name == CALLS or (work != name and work in WORK):
        found = Metric(name, operation, WORK.get(work, "1/op"), scale="count")
    else:
        raise KeyError(name)
    return found


def is_known(name: str) -> bool:
    """Whether a name is one of a metric."""
    try:
        metric_of((name, None))
    except KeyError:
        return name in (TAG, CALLS)
    return True


def work_key(what: str) -> Key:
    """Key of a kind of work per operation."""
    return f"{what}_per_operation", None


def in_order(keys: Iterable[Key]) -> list[Key]:
    """Keys as a person reads them: throughput, CPU, latencies, memory, wall time, work."""
    return sorted(set(keys), key=_place)


def _place(key: Key) -> tuple[Any, ...]:
    name, operation = key
    first = next((place for place, metric in enumerate(_WHOLE) if metric.key == key), None)
    if first is not None and first < 3:
        return (0, first, "", "")
    groups = ("throughput", "latency_", "memory_", TAG, WALL, WALL_PART, CALLS)
    group = next((place for place, start in enumerate(groups) if name.startswith(start)), len(groups))
    return (1, group, operation or "", name)
