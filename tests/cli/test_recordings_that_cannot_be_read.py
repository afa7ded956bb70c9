"""Recordings that are truncated, empty, damaged or from the future: one line and status 2."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from recordings import PROGRAMS, record, storeprof


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sound recording."""
    folder = tmp_path_factory.mktemp("sound")
    assert record(folder, sys.executable, PROGRAMS / "signals.py", "exit", "0", options=("--no-perf",)).status == 0
    return folder / "recording"


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(sound, tmp_path / "recording"))


def refused(folder: Path) -> str:
    """The one line that both readers answer with."""
    lines = set()
    for command in ("analyze", "report"):
        done = storeprof(command, folder)
        assert done.status == 2, done.stdout
        assert done.stderr.count("\n") == 1
        lines.add(done.stderr)
    assert len(lines) == 1
    return lines.pop()


def test_a_sound_recording_is_read(copy: Path) -> None:
    """Moving a recording does not matter."""
    assert storeprof("analyze", copy).status == 0
    assert storeprof("report", copy).status == 0


def test_a_missing_one(tmp_path: Path) -> None:
    """A folder that does not exist is named."""
    assert "no such recording" in refused(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path: Path) -> None:
    """An empty folder is no recording."""
    assert "not a recording" in refused(tmp_path)


def test_a_file(copy: Path) -> None:
    """A file is no recording."""
    assert "a recording is a folder" in refused(copy / "recording.json")


def test_a_truncated_description(copy: Path) -> None:
    """A recording.json cut short is called damaged."""
    text = (copy / "recording.json").read_text()
    (copy / "recording.json").write_text(text[: len(text) // 2])
    assert "damaged" in refused(copy)


def test_an_empty_description(copy: Path) -> None:
    """An empty recording.json is called damaged."""
    (copy / "recording.json").write_text("")
    assert "damaged" in refused(copy)


def test_a_description_without_its_fields(copy: Path) -> None:
    """A recording.json that is whole JSON and lacks what it must say is called damaged."""
    (copy / "recording.json").write_text('{"format": 1, "state": "complete"}')
    assert "damaged (no started_ns)" in refused(copy)


def test_missing_tables(copy: Path) -> None:
    """A complete recording without its tables is called damaged, not short."""
    shutil.rmtree(copy / "tables")
    assert "tables are missing" in refused(copy)


def test_a_truncated_table(copy: Path) -> None:
    """A table cut short is named."""
    table = copy / "tables" / "looks.parquet"
    table.write_bytes(table.read_bytes()[:200])
    assert "looks.parquet" in refused(copy)


def test_an_empty_table(copy: Path) -> None:
    """A table of zero bytes is named."""
    (copy / "tables" / "stacks.parquet").write_bytes(b"")
    assert "stacks.parquet" in refused(copy)


def test_one_from_the_future(copy: Path) -> None:
    """A later format is refused with the advice to upgrade."""
    meta = json.loads((copy / "recording.json").read_text())
    (copy / "recording.json").write_text(json.dumps({**meta, "format": 99}))
    assert "newer storeprof (format 99" in refused(copy)


def test_a_table_from_an_older_version_reads_as_empty(copy: Path) -> None:
    """A missing table is not an error: an older recording opens in a newer storeprof."""
    (copy / "tables" / "memory_tags.parquet").unlink()
    assert storeprof("analyze", copy).status == 0


def test_an_unfinished_one_without_its_journal(copy: Path) -> None:
    """A recording that says it is unfinished and has no journal can't be finished."""
    meta = json.loads((copy / "recording.json").read_text())
    (copy / "recording.json").write_text(json.dumps({**meta, "state": "recording"}))
    assert "journal.bin" in refused(copy)


def test_unknown_kinds_to_fail_on(copy: Path) -> None:
    """--fail-on names the kinds there are when given another."""
    done = storeprof("analyze", "--fail-on", "slowness", copy)
    assert done.status == 2
    assert "cpu-hotspot" in done.stderr
