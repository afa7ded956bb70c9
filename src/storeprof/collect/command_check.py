"""Whether a command can be executed, and why not, before anything is created for it; starts nothing."""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from storeprof.errors import CommandNotExecutable, CommandNotFound, TargetError, UsageError


def check_command(argv: Sequence[str], path: str | None = None) -> str:
    """Return the file that `argv` would run; to be called before anything is created for it.

    `path` is the search path (None: our own PATH). Raises UsageError for an empty command, CommandNotFound or
    CommandNotExecutable as a shell would with 127 and 126.
    """
    if not argv:
        raise UsageError("no command to record: name it after --, as in: storeprof record -- ./program")
    name = argv[0]
    if "/" in name:
        _check_file(name)
        return name
    path = os.environ.get("PATH", os.defpath) if path is None else path
    found = shutil.which(name, path=path)
    if found:
        return found
    for folder in path.split(os.pathsep) if name else []:
        if (Path(folder) / name).is_file():
            _check_file(str(Path(folder) / name))
    hint = f"; to run the file here, write ./{name}" if name and Path(name).is_file() else ""
    raise CommandNotFound(f"command not found: {name!r} is in no folder of PATH{hint or '; check the spelling'}")


def exec_error(name: str, number: int) -> TargetError:
    """Turn the errno of a failed exec into the error to raise."""
    if number == errno.ENOENT:
        return CommandNotFound(
            f"{name}: cannot be executed: the file, or the interpreter in its first line, does not exist"
        )
    if number == errno.ENOEXEC:
        return CommandNotExecutable(
            f"{name}: not an executable format: give the script a first line such as #!/bin/sh, "
            "or put its interpreter in front of it"
        )
    return CommandNotExecutable(f"{name}: cannot be executed: {os.strerror(number)}")


def _check_file(name: str) -> None:
    if not Path(name).exists():
        raise CommandNotFound(f"command not found: there is no file {name}; check the path")
    if Path(name).is_dir():
        raise CommandNotExecutable(f"{name} is a directory: name the program in it that is to be recorded")
    if not os.access(name, os.X_OK):
        raise CommandNotExecutable(
            f"{name} is not executable: run chmod +x {name}, or put its interpreter in front of it"
        )
