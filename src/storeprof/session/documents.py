"""The findings document of whatever a folder holds: one recording, or several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from storeprof.analysis.context import Settings
from storeprof.analysis.document import analyze
from storeprof.analysis.runs import Run, combine
from storeprof.recording.model import Recording, read_meta
from storeprof.session.finish import open_recording
from storeprof.session.runs import is_series, runs_of


def findings_of(folder: Path, target_per_s: float | None = None) -> dict[str, Any]:
    """Findings document of a recording, or of several runs together.

    `target_per_s`: operations per second asked for; None takes what was asked for when it was recorded. Recordings that
    were cut short are finished first. Raises RecordingError as `open_recording` does.
    """
    if not is_series(folder):
        return document_of(open_recording(folder), target_per_s)
    runs = runs_of(folder)
    target = _target(target_per_s, read_meta(runs[0][1]))
    return combine(str(folder), [Run(workload, analyze(open_recording(run))) for workload, run in runs], target)


def document_of(recording: Recording, target_per_s: float | None = None) -> dict[str, Any]:
    """Findings document of one recording; `target_per_s` as in `findings_of`."""
    return analyze(recording, Settings(target_per_s=_target(target_per_s, recording.meta)))


def _target(asked: float | None, meta: dict[str, Any]) -> float | None:
    return asked if asked is not None else meta.get("target_per_s")
