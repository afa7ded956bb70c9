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


def findings_of(folder: Path, target_per_s: float | None = None, fold_templates: bool = False) -> dict[str, Any]:
    """Findings document of a recording, or of several runs together.

    `target_per_s`: operations per second asked for; None takes what was asked for when it was recorded.
    `fold_templates`: all instances of a C++ template are one function. Recordings that were cut short are finished
    first. Raises RecordingError as `open_recording` does.
    """
    if not is_series(folder):
        return document_of(open_recording(folder), target_per_s, fold_templates)
    runs = runs_of(folder)
    target = _target(target_per_s, read_meta(runs[0][1]))
    settings = Settings(fold_templates=fold_templates)
    documents = [Run(workload, analyze(open_recording(run), settings)) for workload, run in runs]
    return combine(str(folder), documents, target)


def document_of(
    recording: Recording, target_per_s: float | None = None, fold_templates: bool = False
) -> dict[str, Any]:
    """Findings document of one recording; `target_per_s` and `fold_templates` as in `findings_of`."""
    wanted = _target(target_per_s, recording.meta)
    return analyze(recording, Settings(target_per_s=wanted, fold_templates=fold_templates))


def _target(asked: float | None, meta: dict[str, Any]) -> float | None:
    return asked if asked is not None else meta.get("target_per_s")
