"""Files of Python code -> module names, and whether they are the program's own."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

_STANDARD_LIBRARY = re.compile(r"/lib(?:64)?/python3(?:\.\d+)?t?/(?!site-packages/|dist-packages/)")


def is_library(file: str) -> bool:
    """Whether a file belongs to Python itself: the standard library, frozen or generated code.

    Installed packages count as the program's own: the engine under study may well be one.
    """
    return file.startswith("<") or bool(_STANDARD_LIBRARY.search(file)) or "/python3/dist-packages/" in file


@lru_cache(maxsize=4096)
def module_name(file: str) -> str:
    """Dotted name of the module a file holds, found by the packages around it; the stem for a script."""
    if file.startswith("<frozen "):
        return file[len("<frozen ") :].rstrip(">")
    if file.startswith("<"):
        return file
    path = Path(file)
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder.name:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or path.parent.name
