"""How a command line starts Python, so that the same program can be started under another module."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PYTHON: Final = re.compile(r"python(\d(\.\d+)?t?)?$")
# Options of the interpreter that take the next argument.
_WITH_VALUE: Final = frozenset({"-W", "-X", "--check-hash-based-pycs"})


@dataclass(frozen=True, slots=True)
class PythonCommand:
    """`interpreter` with its options, and the `program`: `-m MODULE …`, `-c CODE …` or `SCRIPT …`."""

    interpreter: tuple[str, ...]
    program: tuple[str, ...]

    def under(self, *module: str) -> list[str]:
        """The command line of the same program run by a module, as in `python -m memray run … SCRIPT …`."""
        return [*self.interpreter, "-m", *module, *self.program]


def python_command(command: Sequence[str]) -> PythonCommand | None:
    """What a command line runs when it is Python: by name, or by a script's first line; None for other programs."""
    if not command:
        return None
    if _PYTHON.fullmatch(Path(command[0]).name):
        return _split(command)
    script = command[0] if "/" in command[0] else shutil.which(command[0])
    first = _first_line(script) if script else ""
    words = first[2:].split() if first.startswith("#!") else []
    if words and Path(words[0]).name == "env":
        words = words[1:]
    if script and words and _PYTHON.fullmatch(Path(words[0]).name):
        return PythonCommand(tuple(words), (script, *command[1:]))
    return None


def _split(command: Sequence[str]) -> PythonCommand | None:
    at = 1
    while at < len(command):
        word = command[at]
        if word in {"-m", "-c"} or not word.startswith("-") or word == "-":
            break
        at += 2 if word in _WITH_VALUE else 1
    # Without a program (or with it on standard input) there is nothing that could be started again.
    if at >= len(command) or command[at] == "-":
        return None
    return PythonCommand(tuple(command[:at]), tuple(command[at:]))


def _first_line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.readline(256).decode(errors="replace").strip()
    except OSError:
        return ""
