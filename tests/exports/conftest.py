"""One recording, exported once in every format."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from viewers import Errors

import storeprof
from recordings import PROGRAMS
from recordings import storeprof as run_storeprof
from storeprof.cli.main import main

FILES = {
    "speedscope": "run.speedscope.json",
    "perfetto": "run.pftrace",
    "chrome": "run.trace.json",
    "pprof": "run.pb.gz",
    "collapsed": "run.collapsed",
    "markdown": "run.md",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of two threads at a lock, and its exports beside it."""
    folder = tmp_path_factory.mktemp("exports")
    program = (sys.executable, PROGRAMS / "exported.py")
    done = run_storeprof("record", "--no-perf", "--out", folder / "recording", "--", *program, RUN_SECONDS="3")
    assert done.status == 0, done.stderr
    for name in FILES.values():  # as the command does it, without starting Python once more for each
        assert main(["export", str(folder / "recording"), "-o", str(folder / name)]) == 0
    return folder


@pytest.fixture(scope="session")
def recording(folder: Path) -> storeprof.Recording:
    """The same recording, opened."""
    return storeprof.open(folder / "recording")


@pytest.fixture
def errors() -> Iterator[Errors]:
    """What pages complained about; nothing, in the end."""
    found = Errors()
    yield found
    assert found == []
