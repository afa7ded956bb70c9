"""What tests need to record a real program with the real command line, and to read the result."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storeprof.cli.main import main

PROGRAMS = Path(__file__).parent / "programs"
PLANTED = PROGRAMS / "planted"
BUDGET_PERCENT = "3"
STOREPROF = [sys.executable, "-m", "storeprof"]


@dataclass(frozen=True)
class Finished:
    """How one storeprof command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def last_line(self) -> str:
        """The last line on standard error."""
        return self.stderr.rstrip("\n").rsplit("\n", 1)[-1]


def storeprof(*arguments: str | Path, cwd: Path | None = None, timeout: float = 120, **environment: str) -> Finished:
    """Run the command line to its end.

    On a slow machine a hundredth of the CPUs pays for too few looks in so short recordings; what looking costs is
    tested where a budget is named.
    """
    if arguments[0] == "record" and "--overhead-budget" not in arguments:
        arguments = ("record", "--overhead-budget", BUDGET_PERCENT, *arguments[1:])
    done = subprocess.run(
        [*STOREPROF, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def in_process(*arguments: str | Path, cwd: Path) -> Finished:
    """The same without a process of its own, for commands that only read what there is: a second sooner each."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(one) for one in arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
    return Finished(status, out.getvalue(), err.getvalue())


def record(
    folder: Path, *command: str | Path, seconds: float = 4, options: tuple[str, ...] = (), cwd: Path | None = None
) -> Finished:
    """Record a program that runs for `seconds`; the recording is `folder`/recording."""
    return storeprof(
        "record",
        "--out",
        folder / "recording",
        *options,
        "--",
        *command,
        cwd=cwd or folder,
        RUN_SECONDS=str(seconds),
    )


def findings(folder: Path) -> dict[str, Any]:
    """The findings document of `folder`/recording."""
    done = storeprof("analyze", "--json", folder / "recording")
    assert done.status == 0, done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def build(folder: Path, source: Path, *flags: str) -> Path:
    """Compile a C++ program with debug information."""
    program = folder / source.stem
    flags = flags or ("-O2", "-g", "-fno-omit-frame-pointer")
    subprocess.run(["g++", *flags, "-pthread", "-o", str(program), str(source)], check=True, timeout=120)
    return program
