"""The workloads: which operations in which proportion, and the plan that a seed makes of them."""

from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from random import Random

from storeprof.errors import UsageError

REGIONS = 5
METRICS = ("cpu", "memory", "disk", "network")
START_NS = 1_700_000_000_000_000_000
PLAN_BATCHES, BATCH_SIZE = 1024, 64


class Kind(Enum):
    """One operation of an engine."""

    WRITE = "write"
    READ = "read"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Workload:
    """Shares of the operations (they add up to one) over `hosts` x 4 series.

    Time in the plan is virtual: each operation of a thread is `step_ns` after the one before, so that a seed
    gives the same operations on a fast machine and a slow one. READ and QUERY are about the last `recent_ns`.
    """

    name: str
    description: str
    write: float
    read: float
    query: float
    hosts: int = 50
    step_ns: int = 1_000_000
    recent_ns: int = 10_000_000_000


Labels = dict[str, str]
Run = tuple[Kind, list[tuple[Labels, float]]]  # operations of one kind in a row; the number is the value of a WRITE
Batch = tuple[Run, ...]

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload("write-heavy", "95 % writes, 5 % reads of one recent series", 0.95, 0.05, 0.0),
        Workload("mixed", "50 % writes, 40 % reads of one recent series, 10 % queries by label", 0.5, 0.4, 0.1),
    )
}


def find_workload(name: str) -> Workload:
    """The workload of that name. Raises UsageError, which names the known ones."""
    try:
        return WORKLOADS[name]
    except KeyError:
        raise UsageError(f"there is no workload {name!r}; known workloads: {', '.join(sorted(WORKLOADS))}") from None


def find_workloads(names: str) -> tuple[Workload, ...]:
    """The workloads of a list `a,b`, or of `all`, each once. Raises UsageError for one that is not known."""
    if names == "all":
        return tuple(WORKLOADS.values())
    return tuple(find_workload(name) for name in dict.fromkeys(names.split(",")))


def series_of(workload: Workload) -> list[Labels]:
    """The label sets of all series."""
    return [
        {"host": f"host-{host:03}", "region": f"region-{host % REGIONS}", "metric": metric}
        for host in range(workload.hosts)
        for metric in METRICS
    ]


def plan(workload: Workload, seed: int, thread: int, threads: int) -> list[Batch]:
    """The batches that thread `thread` of `threads` repeats until it is stopped; equal arguments, equal plan.

    A series is written by one thread only (its samples then rise in time, as from a real source), in turn;
    any thread reads any series.
    """
    chance = Random(f"{seed}/{thread}/{threads}/{workload.name}")
    series = series_of(workload)
    own = series[thread % len(series) :: threads]
    queries = [{"region": f"region-{region}", "metric": metric} for region in range(REGIONS) for metric in METRICS]
    kinds, shares = tuple(Kind), (workload.write, workload.read, workload.query)
    level = 50.0
    written = 0
    result: list[Batch] = []
    for _ in range(PLAN_BATCHES):
        operations: list[tuple[Kind, Labels, float]] = []
        for kind in chance.choices(kinds, shares, k=BATCH_SIZE):
            if kind is Kind.WRITE:
                level = round(level + chance.gauss(0, 1), 2)
                operations.append((kind, own[written % len(own)], level))
                written += 1
            else:
                operations.append((kind, chance.choice(series if kind is Kind.READ else queries), 0.0))
        rows = groupby(operations, key=lambda operation: operation[0])
        result.append(tuple((kind, [(labels, value) for _, labels, value in row]) for kind, row in rows))
    return result
