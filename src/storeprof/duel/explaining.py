"""After a duel: both versions recorded once, so that the change has places. Their times prove nothing; the pairs do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

from storeprof.collect.slice_worker import SliceWorker
from storeprof.collect.tool_process import run_tool
from storeprof.compare.measured import Measured
from storeprof.duel.options import DuelOptions, FreshFolder, Version
from storeprof.duel.sides import side_of
from storeprof.duel.slice_pairs import run_in_turn
from storeprof.errors import CollectorError, StoreprofError
from storeprof.recording.environment import describe_machine

SECONDS = 4.0
WORKER_S, RUN_S = 60, 20
FINISH_S = 100.0
LEAST_S = 0.5  # a whole run has a hundred looks in it by then


def record_both(options: DuelOptions, operations: int | None) -> tuple[Measured, Measured, list[str]]:
    """Both versions recorded for a few seconds; sides without places, and a warning, when that fails.

    Workers do their slices in turn here as well: what the machine does meanwhile meets both, and is no change.
    """
    versions = (options.baseline, options.candidate)
    try:
        with ExitStack() as stack:
            runs = [_Recorded(options, version, stack) for version in versions]
            if operations is None:
                for run in runs:
                    run.to_its_end()
            else:
                _in_turn(options, runs, operations)
        return runs[0].side(), runs[1].side(), []
    except StoreprofError as error:
        return bare(options.baseline), bare(options.candidate), [f"the change is not explained: {error}"]


def _in_turn(options: DuelOptions, runs: Sequence[_Recorded], operations: int) -> None:
    workers: list[SliceWorker] = []
    try:
        for run in runs:
            workers.append(run.worker())
        run_in_turn(workers, round(SECONDS / options.slice_s), operations, Random(f"{options.seed}/explained"))
        for worker in workers:
            worker.end_input()
        for worker in workers:
            worker.close(FINISH_S)
    except BaseException:
        for worker in workers:
            worker.kill()
        raise


def bare(version: Version) -> Measured:
    """A side of which nothing but its command is known."""
    about = {"command": list(version.command), "machine": describe_machine(), "python": [], "exit_statuses": []}
    return Measured(version.name, about, (), (), ())


class _Recorded:
    """One version under `storeprof record`, in a folder of its own as long as `stack` lasts."""

    def __init__(self, options: DuelOptions, version: Version, stack: ExitStack) -> None:
        self._options, self._version = options, version
        self._folder = options.folder.absolute() / f"recording-{version.name}"
        fresh = stack.enter_context(FreshFolder((options.folder / f"data-{version.name}").absolute()))
        # The environment is the command's alone: a PYTHONPATH of another revision must not meet the recorder.
        settings = [f"{key}={value}" for key, value in version.environment.items()]
        limit_s = WORKER_S if options.slices else RUN_S
        self._command = [
            sys.executable, "-m", "storeprof", "record", "--duration", str(limit_s), "--out", str(self._folder), "--",
            "env", *settings, *version.argv(fresh),
        ]  # fmt: skip

    def worker(self) -> SliceWorker:
        """Start it as a worker: what is recorded has its standard input and output."""
        return SliceWorker(self._command, self._stderr, cwd=self._version.cwd, by_child=True)

    def to_its_end(self) -> None:
        """Run it to its end."""
        done = run_tool(self._command, timeout_s=RUN_S + FINISH_S, cwd=self._version.cwd)
        self._stderr.write_bytes(done.stderr)

    @property
    def _stderr(self) -> Path:
        return self._options.folder / f"recording-{self._version.name}.stderr"

    def side(self) -> Measured:
        """What was recorded. Raises CollectorError when there is no recording, or nearly nothing in it."""
        if not (self._folder / "recording.json").exists():
            words = self._stderr.read_text(encoding="utf-8", errors="replace").strip().rsplit("\n", 1)[-1]
            raise CollectorError(f"{self._version.name} could not be recorded ({words})")
        side = side_of(self._folder, name=self._version.name)
        if not self._options.slices and side.about["duration_s"] < LEAST_S:
            raise CollectorError(
                f"a run of {side.about['duration_s']:.2g} s is too short to see where its time goes; "
                f"give {self._version.name} a load of {LEAST_S:g} s or longer"
            )
        return side
