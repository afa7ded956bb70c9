"""A real recording and one with known contents, and their pages: made once for all modules here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pages import written

from recordings import PLANTED, record, storeprof
from views.made_up import make


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real recording of the embedded engine, three seconds long."""
    folder = tmp_path_factory.mktemp("engine") / "recording"
    done = storeprof("profile", "tsdb", "--workload", "mixed", "--duration", "3", "--out", folder)
    assert done.status == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def engine_page(engine: Path) -> Path:
    """Its page."""
    return written(engine.parent / "engine.html", engine)


@pytest.fixture(scope="session")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real recording whose slow reads sleep in its first half and compute in its second."""
    folder = tmp_path_factory.mktemp("halves") / "recording"
    options = ("--operation", "tail_engine.Runs.scan", "--operation", "tail_engine.Runs.read")
    done = record(folder.parent, sys.executable, PLANTED / "tail_by_halves.py", seconds=10, options=options)
    assert done.status == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording with known contents and hostile names."""
    return make(tmp_path_factory.mktemp("made-up") / "recording")


@pytest.fixture(scope="session")
def made_up_page(made_up: Path) -> Path:
    """Its page."""
    return written(made_up.parent / "made-up.html", made_up)
