"""System calls of both versions, counted in runs of their own, for work per operation that is exact on any machine."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from storeprof.collect.linux.perf_counts import command, parse
from storeprof.collect.slice_worker import SliceWorker
from storeprof.compare.metrics import Key, work_key
from storeprof.compare.pairs import Pair
from storeprof.duel.options import DuelOptions, FreshFolder, Version
from storeprof.duel.whole_runs import run_version
from storeprof.errors import CollectorError, StoreprofError

ROUNDS = 2
LEAST_S = 20.0
NOT_COUNTED = "fsyncs and system calls are not counted"
_FEW, _MANY = 10, 40


def count_work(options: DuelOptions, operations: int | None, pair_s: float) -> tuple[list[Pair], str | None]:
    """Pairs that know fsyncs and system calls per operation, or the reason why they can't be counted here.

    `pair_s`: what a pair takes. Whole runs that would take long again are not repeated for it.
    """
    perf = shutil.which("perf")
    if perf is None:
        return [], f"{NOT_COUNTED}: perf is not installed"
    if operations is None and ROUNDS * pair_s > max(LEAST_S, options.budget_s / 4):
        return [], f"{NOT_COUNTED}: the runs are too long to be repeated for it; give more time with --budget"
    versions = (options.baseline, options.candidate)
    try:
        return [
            Pair(*(_counts(options, version, operations, perf, seed) for version in versions)) for seed in range(ROUNDS)
        ], None
    except StoreprofError as error:
        return [], f"{NOT_COUNTED}: {error}"


def with_counts(pairs: Sequence[Pair], counted: Sequence[Pair]) -> list[Pair]:
    """Pairs and those of the counting runs; what a worker states of its own goes first."""
    stated = {key for pair in pairs for key in pair.baseline}
    return [*pairs, *(Pair(_without(pair.baseline, stated), _without(pair.candidate, stated)) for pair in counted)]


def _without(side: Mapping[Key, float], stated: set[Key]) -> dict[Key, float]:
    return {key: value for key, value in side.items() if key not in stated}


def _counts(options: DuelOptions, version: Version, operations: int | None, perf: str, seed: int) -> dict[Key, float]:
    if operations is None:
        output = (options.folder / "counts").absolute()
        under = replace(version, command=tuple(command(perf, output, version.command)))
        done = run_version(options, under, seed)
        counts, per = parse(_read(output)), done.ops or 1
        return {work_key(name): count / per for name, count in counts.items()}
    few, many = (
        _in_slices(options, version, perf, [(operations, seed * 1000 + number) for number in range(slices)])
        for slices in (_FEW, _MANY)
    )
    per = (_MANY - _FEW) * operations
    return {work_key(name): max(0.0, many[name] - few[name]) / per for name in many}


def _in_slices(
    options: DuelOptions, version: Version, perf: str, slices: Sequence[tuple[int, int]]
) -> dict[str, float]:
    """Counts of a worker's whole life with these slices: the difference of two such is free of start and end."""
    output = (options.folder / "counts").absolute()
    with FreshFolder((options.folder / f"data-{version.name}").absolute()) as fresh:
        worker = SliceWorker(
            command(perf, output, version.argv(fresh)),
            options.folder / f"{version.name}.stderr",
            env=version.environment,
            cwd=version.cwd,
        )
        try:
            for operations, seed in slices:
                worker.run(operations, seed)
        except BaseException:
            worker.kill()
            raise
        worker.close()
    return parse(_read(output))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CollectorError(f"perf wrote no counts ({error.strerror})") from None
