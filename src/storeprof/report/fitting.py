"""Words that fit the lines of a terminal."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Names are of others: what moves the cursor or turns the text around is shown as a dot, a line's end as a blank.
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "·")
_CONTROLS |= dict.fromkeys(map(ord, "\t\n\r"), " ")


def harmless(value: Any) -> Any:
    """The same text, list or object, with no character in its texts that a terminal would act upon."""
    if isinstance(value, str):
        return value.translate(_CONTROLS)
    if isinstance(value, dict):
        return {key: harmless(one) for key, one in value.items()}
    return [harmless(one) for one in value] if isinstance(value, list) else value


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
    return name if len(name) <= width else "…" + name[len(name) - width + 1 :]


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
