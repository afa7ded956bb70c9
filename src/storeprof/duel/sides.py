"""The sides of a comparison from folders: one recording, or the runs of one workload."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from storeprof.analysis.document import analyze
from storeprof.compare.measured import Measured, Run
from storeprof.compare.metrics import WORK, Key, work_key
from storeprof.compare.recorded import measure
from storeprof.errors import UsageError
from storeprof.recording.model import read_meta
from storeprof.session.finish import open_recording
from storeprof.session.runs import is_series, runs_of

OF_WORK = {work_key(what)[0] for what in WORK}


def side_of(folder: Path, workload: str | None = None, name: str | None = None) -> Measured:
    """Measure what a folder holds. `workload` picks one where the folder has several.

    Raises RecordingError for what can't be read, UsageError when it is not clear which runs are meant.
    """
    recordings = [open_recording(path) for path in _folders(folder, workload)]
    return measure(name or str(folder), [(recording, analyze(recording)) for recording in recordings])


def _folders(folder: Path, workload: str | None) -> list[Path]:
    if not is_series(folder):
        of_it = read_meta(folder).get("workload")
        if workload is not None and of_it != workload:
            raise UsageError(
                f"{folder}: is {f'of workload {of_it!r}' if of_it else 'of no workload'}, not {workload!r}"
            )
        return [folder]
    runs = runs_of(folder)
    names = list(dict.fromkeys(name for name, _ in runs))
    if workload is None and len(names) > 1:
        listed = ", ".join(str(name) for name in names)
        raise UsageError(f"{folder}: has runs of several workloads ({listed}); pick one with --workload")
    found = [path for name, path in runs if workload is None or name == workload]
    if not found:
        raise UsageError(f"{folder}: has no runs of workload {workload!r}; it has {', '.join(map(str, names))}")
    return found


def values_of_side(side: Measured) -> dict[Key, float]:
    """Means over the runs that know a metric; work also per operation of each kind."""
    runs = [{**_by_kind(run), **run.values} for run in side.runs]
    keys = {key for values in runs for key in values}
    return {key: fmean(values[key] for values in runs if key in values) for key in keys}


def _by_kind(run: Run) -> dict[Key, float]:
    """All work of the run per operation of one kind: all fsyncs over all writes."""
    every = run.operations.get(None, 0.0)
    return {
        (name, kind): value * every / count
        for (name, operation), value in run.values.items()
        if operation is None and name in OF_WORK
        for kind, count in run.operations.items()
        if kind is not None and count
    }
