"""The folder of a new recording: made, checked, never mixed with other files."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from storeprof.errors import RecordingError
from storeprof.recording.model import META

RUNS = "storeprof-runs"
RUNS_INDEX = "runs.json"


def default_folder(label: str) -> Path:
    """A new name under ./storeprof-runs, by time and what is recorded."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.")[:40] or "run"
    base = Path(RUNS) / f"{stamp}-{safe}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def newest_recording() -> Path:
    """The newest recording, or series of runs, under ./storeprof-runs.

    Raises RecordingError when there is none.
    """
    found = [path for name in (META, RUNS_INDEX) for path in Path(RUNS).glob(f"*/{name}")]
    if not found:
        raise RecordingError(f"no recording under ./{RUNS}; name one, or make one with `storeprof record -- COMMAND`")
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent


def make_folder(folder: Path) -> list[Path]:
    """Create the folder of a recording.

    Returns the folders that were created, for `remove_folder`. Raises RecordingError when it is a file, not empty or
    can't be written.
    """
    if folder.is_dir():
        if any(folder.iterdir()):
            raise RecordingError(f"{folder}: not empty; name a new folder with --out")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RecordingError(f"{folder}: can't be written; name another folder with --out")
        return []
    if folder.exists():
        raise RecordingError(f"{folder}: is a file; name a new folder with --out")
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise RecordingError(f"{folder}: can't be created ({error.strerror}); name another folder with --out") from None
    return missing


def remove_folder(folder: Path, created: list[Path]) -> None:
    """Undo `make_folder` when recording never began, so that nothing half-written stays."""
    for file in folder.rglob("*"):
        if not file.is_dir():
            file.unlink(missing_ok=True)
    for path in [*sorted((one for one in folder.rglob("*") if one.is_dir()), reverse=True), *created]:
        try:
            path.rmdir()
        except OSError:
            return
