"""`storeprof report --html`: findings and views of recordings, put into one file."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from storeprof.analysis.context import build_context
from storeprof.analysis.document import findings_document
from storeprof.analysis.runs.document import Run, combine
from storeprof.analysis.settings import Settings
from storeprof.errors import UsageError
from storeprof.recording.model import read_meta
from storeprof.report.html import Side, page
from storeprof.session.documents import as_recorded
from storeprof.session.finish import open_recording
from storeprof.session.runs import is_series, runs_of
from storeprof.views.view import MOST_ROWS, view_of


def write_page(path: Path, folder: Path, against: Path | None, asked: Settings) -> None:
    """Write the page of a recording (or of several runs), or of what changed against another.

    Raises UsageError when the file can't be written, RecordingError when a recording can't be read.
    """
    check_writable(path)
    sides = 1 if against is None else 2
    shown = _side(folder, asked, MOST_ROWS // sides)
    other = _side(against, asked, MOST_ROWS // sides) if against else None
    title = f"{folder.name} against {against.name}" if against else folder.name
    text = page(f"{title} – storeprof", shown, other)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html {path}: can't be written ({error.strerror}); name another file") from None
    print(f"storeprof: wrote {path} ({len(text) / 1e6:.1f} MB)", file=sys.stderr)


def check_writable(path: Path) -> None:
    """Say before the analysis that the file can't be written.

    Raises UsageError.
    """
    if path.is_dir():
        raise UsageError(f"--html {path}: is a folder; name a file in it, as {path / 'report.html'}")
    if not path.parent.is_dir():
        raise UsageError(f"--html {path}: there is no folder {path.parent}; make it, or name another file")


def _side(folder: Path, asked: Settings, most_rows: int) -> Side:
    if not is_series(folder):
        recording = open_recording(folder)
        context = build_context(recording, as_recorded(asked, recording.meta))
        return Side(findings_document(context), [(folder.name, view_of(context, most_rows))])
    runs = runs_of(folder)
    found, views = [], []
    whole = as_recorded(asked, read_meta(runs[0][1]))
    for workload, run in runs:
        context = build_context(open_recording(run), replace(whole, target_per_s=None))
        found.append(Run(workload, findings_document(context)))
        views.append((str(run.relative_to(folder)), view_of(context, most_rows // len(runs))))
    return Side(combine(str(folder), found, whole.target_per_s), views)
