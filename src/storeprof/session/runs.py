"""Several runs one after the other: a recording each, in one folder with a list of them (docs/formats/recording.md)."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storeprof.errors import RecordingError
from storeprof.recording.model import META, read_meta
from storeprof.session.finish import finish
from storeprof.session.folder import RUNS_INDEX, make_folder, remove_folder
from storeprof.session.options import Outcome, RecordOptions
from storeprof.session.passes import run_passes
from storeprof.session.progress import Progress


@dataclass(frozen=True)
class Planned:
    """A run to be made: `options.folder` is the folder of all runs, or lies in it.

    `workload` is None for a command; `scratch` holds the engine's data and is removed after the run.
    """

    workload: str | None
    options: RecordOptions
    scratch: Path | None = None


def record_all(folder: Path, planned: Sequence[Planned]) -> Outcome:
    """Make one recording in `folder`, or several below it; tables included."""
    if len(planned) > 1:
        return _record_runs(folder, planned)
    return _record_one(planned[0])


def _record_one(planned: Planned) -> Outcome:
    from storeprof.session.recorder import record  # its extension is Linux's; recordings are read on other systems too

    outcome = record(planned.options, Progress(sys.stderr, planned.options.duration_s))
    run_passes(planned.options, planned.scratch)
    if planned.scratch:
        shutil.rmtree(planned.scratch, ignore_errors=True)
    meta = finish(outcome.folder).meta
    _say_what_is_not_timed("--operation", meta["operations_asked"])
    _say_what_is_not_timed("--instrument", meta["instrument_asked"])
    return outcome


def _say_what_is_not_timed(option: str, asked: list[dict[str, Any]]) -> None:
    names: dict[tuple[str, str], list[str]] = {}
    for row in asked:
        if row["reason"]:
            names.setdefault((row["reason"], row["remedy"]), []).append(row["name"])
    for (reason, remedy), of in names.items():
        print(f"storeprof: {option} {', '.join(of)}: {reason}; {remedy}", file=sys.stderr)


def _record_runs(folder: Path, planned: Sequence[Planned]) -> Outcome:
    """Make the runs one after the other, until all are made or somebody ends the series.

    Returns the folder of all and the status of the last run that failed, else 0. A run that can't be started ends the
    series; raises its StoreprofError. What was recorded until then is kept.
    """
    created = make_folder(folder)
    status = 0
    try:
        for number, one in enumerate(planned, start=1):
            _write_index(folder, planned[:number], len(planned))
            label = f", {one.workload}" if one.workload else ""
            print(f"storeprof: run {number} of {len(planned)}{label}", file=sys.stderr, flush=True)
            # Passes are no timing runs: one series of them tells as much as many.
            outcome = _record_one(
                one if number == 1 else replace(one, options=replace(one.options, groups=frozenset()))
            )
            status = outcome.exit_status or status
            if read_meta(outcome.folder)["ended_by"] == "interrupt":
                break
    except KeyboardInterrupt:  # between two runs, or while tables are written: analyze finishes these
        if not _begun(folder):
            raise
    finally:
        if not _begun(folder):
            remove_folder(folder, created)
    return Outcome(folder, status)


def is_series(folder: Path) -> bool:
    """Whether a folder holds several runs."""
    return (folder / RUNS_INDEX).is_file()


def runs_of(folder: Path) -> list[tuple[str | None, Path]]:
    """Workload and folder of each run that began.

    Raises RecordingError when the list can't be read or no run began.
    """
    path = folder / RUNS_INDEX
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["runs"]
        listed = [(row["workload"], folder / row["folder"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path}: damaged ({error}); name one of the runs in {folder}") from None
    begun = [(workload, run) for workload, run in listed if (run / META).is_file()]
    if not begun:
        raise RecordingError(f"{folder}: no run was recorded; record again")
    return begun


def _begun(folder: Path) -> bool:
    return any(folder.rglob(META))


def _write_index(folder: Path, runs: Sequence[Planned], asked: int) -> None:
    rows: list[dict[str, Any]] = [
        {"folder": str(one.options.folder.relative_to(folder)), "workload": one.workload} for one in runs
    ]
    partial = folder / (RUNS_INDEX + ".partial")
    partial.write_text(json.dumps({"format": 1, "runs": rows, "asked": asked}, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / RUNS_INDEX)
