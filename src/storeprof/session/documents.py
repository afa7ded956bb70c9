"""The findings document of whatever a folder holds: one recording, or several runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from storeprof.analysis.document import analyze
from storeprof.analysis.runs.document import Run, combine
from storeprof.analysis.settings import Settings
from storeprof.recording.model import Recording, read_meta
from storeprof.session.finish import open_recording
from storeprof.session.runs import is_series, runs_of


def findings_of(folder: Path, asked: Settings | None = None) -> dict[str, Any]:
    """Findings document of a recording, or of several runs together.

    `asked`: a target and functions to carry a probe that are not asked for here are those asked for when it was
    recorded. Recordings that were cut short are finished first. Raises RecordingError as `open_recording` does.
    """
    asked = asked or Settings()
    if not is_series(folder):
        return document_of(open_recording(folder), asked)
    runs = runs_of(folder)
    whole = as_recorded(asked, read_meta(runs[0][1]))
    each = replace(whole, target_per_s=None)  # a target is for the mean of a workload
    documents = [Run(workload, analyze(open_recording(run), each)) for workload, run in runs]
    return combine(str(folder), documents, whole.target_per_s)


def document_of(recording: Recording, asked: Settings | None = None) -> dict[str, Any]:
    """Findings document of one recording; `asked` as in `findings_of`."""
    return analyze(recording, as_recorded(asked or Settings(), recording.meta))


def as_recorded(asked: Settings, meta: dict[str, Any]) -> Settings:
    """The settings, with what was asked for when it was recorded in place of what is not asked for now."""
    return replace(
        asked,
        target_per_s=asked.target_per_s if asked.target_per_s is not None else meta.get("target_per_s"),
        expected=asked.expected or tuple(meta.get("expected") or ()),
    )
