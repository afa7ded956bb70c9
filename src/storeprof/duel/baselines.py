"""Baselines by name: each saving is a file of its own, so that nothing is lost by a crash or by two at a time.

`storeprof-baselines/NAME/STAMP-UUID.json` (docs/formats/baseline.md). The newest that can be read counts; a damaged
one is passed over, with a word.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from storeprof.compare.measured import Measured, measured_from
from storeprof.errors import RecordingError, UsageError

FOLDER = Path("storeprof-baselines")
KEPT = 20


def save(side: Measured, name: str, folder: Path = FOLDER, now_ns: Callable[[], int] = time.time_ns) -> Path:
    """Keep one side as the baseline `name`, beside earlier ones of that name; returns its file.

    Raises UsageError for a name that is no plain word, RecordingError when it can't be written.
    """
    place = _place(name, folder)
    # A clock that was set back must not make the latest an old one, which would be passed over or cleared away.
    stamp = max([now_ns(), *(_stamp(path) + 1 for path in place.glob("*.json"))])
    path = place / f"{stamp:020d}-{uuid.uuid4().hex[:8]}.json"
    partial = path.with_suffix(".partial")
    try:
        place.mkdir(parents=True, exist_ok=True)
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(side.as_document() | {"name": name, "saved_ns": stamp}, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    except OSError as error:
        raise RecordingError(f"{path}: can't be written ({error.strerror}); the baselines before it are kept") from None
    for old in sorted(place.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def load(name: str, folder: Path = FOLDER) -> tuple[Measured, list[str]]:
    """The newest readable baseline of that name, and a warning for each newer one that is damaged.

    Raises UsageError when there is none of that name, RecordingError when none of its files can be read.
    """
    place = _place(name, folder)
    warnings: list[str] = []
    files = sorted(place.glob("*.json"), reverse=True)
    if not files:
        known = ", ".join(names(folder)) or "none yet"
        raise UsageError(
            f"no baseline {name!r} under {folder} (there is: {known}); `storeprof baseline save {name}` makes one"
        )
    why = ""
    for path in files:
        try:
            return measured_from(json.loads(path.read_text(encoding="utf-8")), str(path)), warnings
        except (OSError, ValueError, RecordingError) as error:
            why = why or (str(error) if isinstance(error, RecordingError) else f"{error}; save the baseline again")
            warnings.append(f"a later baseline can't be read and is passed over: {path} ({error})")
    raise RecordingError(f"{place}: none of its files can be read; the latest: {why}")


def names(folder: Path = FOLDER) -> list[str]:
    """Names of the baselines there are."""
    return sorted(path.name for path in folder.glob("*") if any(path.glob("*.json")))


def _stamp(path: Path) -> int:
    digits = path.name.partition("-")[0]
    return int(digits) if re.fullmatch("[0-9]{1,20}", digits) else 0


def _place(name: str, folder: Path) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"{name!r} is no name of a baseline: letters, digits, dots, dashes and underscores")
    return folder / name
