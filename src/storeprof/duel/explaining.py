"""After a duel: both versions recorded once, so that the change has places. Their times prove nothing; the pairs do."""

from __future__ import annotations

import sys
from pathlib import Path

from storeprof.collect.slice_worker import ENVIRONMENT
from storeprof.collect.tool_process import run_tool
from storeprof.compare.measured import Measured
from storeprof.duel.options import DuelOptions, FreshFolder, Version
from storeprof.duel.sides import side_of
from storeprof.errors import CollectorError, StoreprofError
from storeprof.recording.environment import describe_machine

SECONDS = 5.0
LIMIT_S = 20


def record_both(options: DuelOptions, operations: int | None) -> tuple[Measured, Measured, list[str]]:
    """Both versions recorded for a few seconds; sides without places, and a warning, when that fails."""
    try:
        sides = [_recorded(options, version, operations) for version in (options.baseline, options.candidate)]
    except StoreprofError as error:
        return bare(options.baseline), bare(options.candidate), [f"the change is not explained: {error}"]
    return sides[0], sides[1], []


def bare(version: Version) -> Measured:
    """A side of which nothing but its command is known."""
    about = {"command": list(version.command), "machine": describe_machine(), "python": [], "exit_statuses": []}
    return Measured(version.name, about, (), (), ())


def _recorded(options: DuelOptions, version: Version, operations: int | None) -> Measured:
    folder = options.folder.absolute() / f"recording-{version.name}"
    environment = dict(version.environment)
    with FreshFolder((options.folder / f"data-{version.name}").absolute()) as fresh:
        argv = version.argv(fresh)
        if operations is not None:
            environment |= ENVIRONMENT
            slices = options.folder.absolute() / "slices.txt"
            _write_slices(slices, operations, round(SECONDS / options.slice_s))
            argv = ["sh", "-c", 'exec "$@" < "$0"', str(slices), *argv]
        # The environment is the command's alone: a PYTHONPATH of another revision must not meet the recorder.
        settings = [f"{key}={value}" for key, value in environment.items()]
        done = run_tool(
            [sys.executable, "-m", "storeprof", "record", "--duration", str(LIMIT_S), "--out", str(folder), "--",
             "env", *settings, *argv],
            timeout_s=LIMIT_S + 100,
            cwd=version.cwd,
        )  # fmt: skip
    if done.status == 125 or not (folder / "recording.json").exists():
        words = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise CollectorError(f"{version.name} could not be recorded ({words})")
    return side_of(folder, name=version.name)


def _write_slices(path: Path, operations: int, count: int) -> None:
    path.write_text("".join(f"run {operations} {seed}\n" for seed in range(count)), encoding="ascii")
