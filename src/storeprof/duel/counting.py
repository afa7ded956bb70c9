"""System calls of both versions, counted in runs of their own, for work per operation that is exact on any machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storeprof.collect.slice_worker import SliceWorker
from storeprof.compare.metrics import Key, work_key
from storeprof.compare.pairs import Pair
from storeprof.duel.options import DuelOptions, FreshFolder, Version
from storeprof.duel.whole_runs import run_version
from storeprof.errors import CollectorError, StoreprofError
from storeprof.system_calls import SystemCalls, counted_between

ROUNDS = 2
LEAST_S = 20.0
NOT_COUNTED = "fsyncs and system calls are not counted"
_WARM_SLICES, _SLICES = 10, 30


def count_work(options: DuelOptions, operations: int | None, pair_s: float) -> tuple[list[Pair], str | None]:
    """Pairs that know fsyncs and system calls per operation, or the reason why they can't be counted here.

    `pair_s`: what a pair takes. Whole runs that would take long again are not repeated for it.
    """
    if operations is None and ROUNDS * pair_s > max(LEAST_S, options.budget_s / 4):
        return [], f"{NOT_COUNTED}: the runs are too long to be repeated for it; give more time with --budget"
    counts = _of_run if operations is None else _of_slices
    try:
        return [
            Pair(
                *(counts(options, version, operations or 0, seed) for version in (options.baseline, options.candidate))
            )
            for seed in range(ROUNDS)
        ], None
    except StoreprofError as error:
        return [], f"{NOT_COUNTED}: {error}"


def with_counts(pairs: Sequence[Pair], counted: Sequence[Pair]) -> list[Pair]:
    """Pairs and those of the counting runs; what a worker states of its own goes first."""
    stated = {key for pair in pairs for key in pair.baseline}
    return [*pairs, *(Pair(_without(pair.baseline, stated), _without(pair.candidate, stated)) for pair in counted)]


def _without(side: Mapping[Key, float], stated: set[Key]) -> dict[Key, float]:
    return {key: value for key, value in side.items() if key not in stated}


def _of_run(options: DuelOptions, version: Version, _: int, seed: int) -> dict[Key, float]:
    done = run_version(options, version, seed, counted=True)
    return _per_operation(done.calls, done.counted, done.ops or 1)


def _of_slices(options: DuelOptions, version: Version, operations: int, seed: int) -> dict[Key, float]:
    """Counts between two slices of one life, so that neither start nor end are in them."""
    with FreshFolder((options.folder / f"data-{version.name}").absolute()) as fresh:
        worker = SliceWorker(
            version.argv(fresh),
            options.folder / f"{version.name}.stderr",
            env=version.environment,
            cwd=version.cwd,
            counted=True,
        )
        try:
            readings = []
            for slices in (range(_WARM_SLICES), range(_WARM_SLICES, _WARM_SLICES + _SLICES)):
                for number in slices:
                    worker.run(operations, seed * 1000 + number)
                readings.append(worker.calls.read())
            found = _per_operation(worker.calls, counted_between(*readings), _SLICES * operations)
        except BaseException:
            worker.kill()
            raise
        worker.close()
    return found


def _per_operation(calls: SystemCalls, counted: Mapping[str, int] | None, operations: int) -> dict[Key, float]:
    if counted is None:
        raise CollectorError("; ".join(part for part in (calls.reason, calls.remedy) if part))
    return {work_key(name): count / operations for name, count in counted.items()}
