"""Pairs of long-lived processes that do the same seeded operations in short slices, in random order.

What makes a second slow meets both sides of a slice pair; what makes a process slow (its memory layout) is only seen
between pairs of processes, which therefore are the unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from storeprof.collect.linux.process_counters import counters_of, cpu_s, peak_rss_bytes
from storeprof.collect.slice_worker import Slice, SliceWorker
from storeprof.compare.metrics import WORK, Key, work_key
from storeprof.compare.pairs import Pair, log_ratio_of_slices
from storeprof.duel.options import DuelOptions, FreshFolder, Version

Array = np.ndarray[Any, Any]
WARM_SLICES = 5
MOST_OPERATIONS = 1_000_000
# Operations beyond a percentile in a group of slices, and the fewest groups an estimate is made of.
BEYOND = 10
FEWEST_GROUPS = 4
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}


@dataclass(frozen=True)
class Side:
    """What one process did in its measured slices, and what the kernel counted meanwhile."""

    slices: Sequence[Slice]
    work: Mapping[str, float]
    peak_rss_bytes: float | None


class SlicePairs:
    """Makes pairs. The operations of a slice are chosen once, on the first pair, so that one takes about 5 ms."""

    def __init__(self, options: DuelOptions) -> None:
        self._options = options
        self.operations: int | None = None

    def pair(self, number: int) -> Pair:
        """Start both, warm them up, run their slices, end them. Raises CollectorError when one fails."""
        options, chance = self._options, Random(f"{self._options.seed}/{number}")
        versions = [options.baseline, options.candidate]
        with ExitStack() as stack:
            workers: dict[str, SliceWorker] = {}
            hashes = str(chance.randrange(1, 1 << 32))
            for version in chance.sample(versions, 2):
                workers[version.name] = stack.enter_context(_Running(options, version, hashes)).worker
            both = [workers[version.name] for version in versions]
            if self.operations is None:
                self.operations = _calibrated(both, options.slice_s, chance)
            run_in_turn(both, WARM_SLICES, self.operations, chance)
            before = [counters_of(worker.pid) for worker in both]
            slices = run_in_turn(both, options.slices_per_pair, self.operations, chance)
            after = [counters_of(worker.pid) for worker in both]
            peaks = [peak_rss_bytes(worker.pid) for worker in both]
        sides = [
            Side(done, {name: new[name] - old[name] for name in new if name in old}, peak)
            for done, old, new, peak in zip(slices, before, after, peaks, strict=True)
        ]
        return pair_of(sides[0], sides[1])


class _Running:
    """A worker with a fresh folder, ended and cleared away whatever happens."""

    def __init__(self, options: DuelOptions, version: Version, hashes: str) -> None:
        self._options, self._version = options, version
        # Both Pythons of a pair hash alike: another order of their dictionaries is no change of the program.
        self._environment = {"PYTHONHASHSEED": hashes, **version.environment}
        self._fresh = FreshFolder((options.folder / f"data-{version.name}").absolute())

    def __enter__(self) -> _Running:
        try:
            self.worker = SliceWorker(
                self._version.argv(self._fresh.__enter__()),
                self._options.folder / f"{self._version.name}.stderr",
                env=self._environment,
                cwd=self._version.cwd,
                timeout_s=min(60.0, self._options.timeout_s),
            )
        except BaseException:
            self._fresh.__exit__()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.worker.close()
        else:
            self.worker.kill()
        self._fresh.__exit__()


def _calibrated(workers: Sequence[SliceWorker], slice_s: float, chance: Random) -> int:
    """Operations that take about `slice_s`, geometric mean of the workers; all do the same ones, to stay alike."""
    count = 1
    while True:
        done = run_in_turn(workers, 3, count, chance)
        took = math.prod(float(np.median([one.seconds for one in of])) for of in done) ** (1 / len(done))
        if took >= slice_s / 2 or count >= MOST_OPERATIONS:
            return max(1, min(MOST_OPERATIONS, round(count * slice_s / took)))
        count = min(MOST_OPERATIONS, max(count + 1, int(count * min(8.0, slice_s / max(took, 1e-9)))))


def run_in_turn(workers: Sequence[SliceWorker], slices: int, operations: int, chance: Random) -> list[list[Slice]]:
    """So many slices on all workers, each with a seed and a CPU of its own that all share, in random order.

    Left alone, each of two processes that take turns stays on the CPU it was on, and one CPU of a shared machine can be
    slower by a quarter than the other for a minute: pairs of equals then differed by up to 25 %.
    """
    done: list[list[Slice]] = [[] for _ in workers]
    cpus = sorted(set.intersection(*(worker.cpus for worker in workers)))
    for _ in range(slices):
        seed = chance.randrange(1 << 30)
        cpu = chance.choice(cpus) if cpus else None
        for index in chance.sample(range(len(workers)), len(workers)):
            done[index].append(_timed(workers[index], operations, seed, cpu))
    return done


def _timed(worker: SliceWorker, operations: int, seed: int, cpu: int | None) -> Slice:
    """One slice, begun on `cpu`; CPU time that the worker does not state is that of its process, all threads."""
    before = cpu_s(worker.pid)
    done = worker.run(operations, seed, cpu)
    if done.cpu_s is not None or before is None:
        return done
    after = cpu_s(worker.pid)
    return Slice(done.ops, done.seconds, None if after is None else after - before, done.latency_ns, done.counts)


def pair_of(baseline: Side, candidate: Side) -> Pair:
    """One pair from the slices of both sides, which did the same operations in the same order."""
    logs: dict[Key, float | None] = {
        ("throughput", None): log_ratio_of_slices(_rates(baseline), _rates(candidate)),
        ("cpu_per_operation", None): log_ratio_of_slices(_cpu(baseline), _cpu(candidate)),
    }
    for name in _operations(baseline, candidate):
        groups = [_groups_of(side, name) for side in (baseline, candidate)]
        for quantile, q in QUANTILES.items():
            both = [_quantiles(durations, q) for durations in groups]
            if both[0] is not None and both[1] is not None:
                logs[f"latency_{quantile}", name] = log_ratio_of_slices(both[0], both[1])
    # Both do the same operations, so the rate of one kind changes as the rate of all does.
    logs |= {("throughput", name): logs["throughput", None] for name in _operations(baseline, candidate)}
    known = {key: value for key, value in logs.items() if value is not None}
    return Pair(_values(baseline, known), _values(candidate, known), known)


def _values(side: Side, known: Mapping[Key, float]) -> dict[Key, float]:
    ops, seconds = sum(one.ops for one in side.slices), sum(one.seconds for one in side.slices)
    values: dict[Key, float] = {("throughput", None): ops / seconds}
    cpu = _cpu(side)
    if cpu.any():
        values["cpu_per_operation", None] = float(cpu.mean())
    for name in {key[1] for key in known if key[1]}:
        durations = np.concatenate([one.latency_ns[name] for one in side.slices if name in one.latency_ns])
        values |= {
            (f"latency_{quantile}", name): float(np.quantile(durations, q)) / 1e9
            for quantile, q in QUANTILES.items()
            if (f"latency_{quantile}", name) in known
        }
    done = {name: sum(len(one.latency_ns.get(name, ())) for one in side.slices) for name in _named([side])}
    values |= {("throughput", name): count / seconds for name, count in done.items() if count}
    if side.peak_rss_bytes:
        values["memory_peak", None] = side.peak_rss_bytes
    counted = {name for one in side.slices for name in one.counts if name in WORK}
    work = {**side.work, **{name: sum(one.counts.get(name, 0.0) for one in side.slices) for name in counted}}
    return values | {work_key(name): amount / ops for name, amount in work.items()}


def _operations(baseline: Side, candidate: Side) -> list[str]:
    return sorted(_named([baseline]) & _named([candidate]))


def _named(sides: Sequence[Side]) -> set[str]:
    return {name for side in sides for one in side.slices for name in one.latency_ns}


def _groups_of(side: Side, name: str) -> list[Array]:
    """Durations of one operation, slice by slice."""
    return [one.latency_ns.get(name, np.empty(0)) for one in side.slices]


def _quantiles(durations: Sequence[Array], q: float) -> Array | None:
    """A percentile per group of slices, groups large enough for it; None where too few operations were done.

    Both sides do the same operations, so they come to the same groups.
    """
    total = sum(len(one) for one in durations)
    if not total:
        return None
    needed = BEYOND / (1 - q)
    size = max(1, math.ceil(needed * len(durations) / total))
    count = len(durations) // size
    if count < FEWEST_GROUPS:
        return None
    groups = [np.concatenate(durations[at * size : (at + 1) * size]) for at in range(count)]
    return np.array([float(np.quantile(group, q)) if len(group) else 0.0 for group in groups])


def _rates(side: Side) -> Array:
    return np.array([one.ops / one.seconds for one in side.slices])


def _cpu(side: Side) -> Array:
    return np.array([(one.cpu_s or 0.0) / one.ops for one in side.slices])
