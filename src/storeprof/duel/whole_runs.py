"""Pairs of whole runs, in random order, of commands that speak no slice protocol. Weaker, and the report says so."""

from __future__ import annotations

from random import Random

from storeprof.collect.whole_run import WholeRun, run_whole
from storeprof.compare.metrics import WORK, Key, work_key
from storeprof.compare.pairs import Pair
from storeprof.duel.options import DuelOptions, FreshFolder, Version
from storeprof.errors import TargetError


class WholeRuns:
    """Makes pairs, each of one run of both versions."""

    operations: int | None = None

    def __init__(self, options: DuelOptions) -> None:
        self._options = options

    def pair(self, number: int) -> Pair:
        """Run both to their end. Raises TargetError when one fails or does not end."""
        options = self._options
        chance = Random(f"{options.seed}/{number}")
        seed = chance.randrange(1 << 30)
        runs: dict[str, WholeRun] = {}
        for version in chance.sample([options.baseline, options.candidate], 2):
            runs[version.name] = run_version(options, version, seed)
        return Pair(values_of(runs[options.baseline.name]), values_of(runs[options.candidate.name]))


def run_version(options: DuelOptions, version: Version, seed: int, counted: bool = False) -> WholeRun:
    """One run with a fresh folder; the seed, the same for both of a pair, is in STOREPROF_SEED.

    `counted`: its system calls are counted, which costs a little.
    """
    outputs = options.folder / f"output-{version.name}"
    outputs.mkdir(parents=True, exist_ok=True)
    with FreshFolder((options.folder / f"data-{version.name}").absolute()) as fresh:
        done = run_whole(
            version.argv(fresh),
            outputs,
            timeout_s=options.timeout_s,
            env={**version.environment, "STOREPROF_SEED": str(seed)},
            cwd=version.cwd,
            pattern=options.ops_pattern,
            counted=counted,
        )
    if done.timed_out:
        raise TargetError(
            f"{version.name} did not end within {options.timeout_s:.0f} s; give it a shorter load, or --timeout"
        )
    if done.status:
        words = f": {done.last_words.rsplit(chr(10), 1)[-1]}" if done.last_words else ""
        raise TargetError(f"{version.name} ended with status {done.status}{words}; a duel needs runs that succeed")
    return done


def values_of(run: WholeRun) -> dict[Key, float]:
    """Figures of one run; without a count of operations the run itself is the operation."""
    per = run.ops or 1
    values: dict[Key, float] = {
        ("cpu_per_operation", None): run.cpu_s / per,
        ("memory_peak", None): run.peak_rss_bytes,
        **{work_key(name): amount / per for name, amount in run.work.items() if name in WORK},
    }
    if run.ops:
        values["throughput", None] = run.ops / (run.seconds or run.wall_s)
    else:
        values["run_time", None] = run.wall_s
    return values
