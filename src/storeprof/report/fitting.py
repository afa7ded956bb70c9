"""Words that fit the lines of a terminal."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path


def clipped(words: str, width: int, lines: int) -> str:
    """What fits so many lines, at a word's end; `…` says that there is more."""
    wrapped = textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
    if len(wrapped) <= lines:
        return words
    kept = wrapped[:lines]
    while kept[-1] and len(kept[-1]) + 2 > width:
        kept[-1] = kept[-1].rpartition(" ")[0]
    return " ".join(kept) + " …"


def end_of(name: str, width: int) -> str:
    """A name that fits: its end, which tells more than its beginning."""
    return name if len(name) <= width else "…" + name[1 - width :]


def fitting(parts: Sequence[str], between: str, width: int) -> str:
    """As many of the last parts as fit, one at least."""
    kept = len(parts)
    while kept > 1 and len(between.join(parts[-kept:])) > width:
        kept -= 1
    return between.join(parts[-kept:]) if parts else ""


def near(file: str) -> str:
    """A path as seen from here, where it lies below."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else file


def near_end(file: str) -> str:
    """A path of code: as seen from here, or its last folder and name."""
    path = near(os.path.normpath(file))
    return "…/" + "/".join(path.split("/")[-2:]) if path.startswith(("/", "..")) else path
