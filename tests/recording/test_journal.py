"""The journal: every sentence of docs/formats/journal.md about frames, cuts and locks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storeprof.errors import RecordingError
from storeprof.recording.journal import JournalWriter, is_being_written, read_journal
from storeprof.recording.schema import JOURNAL_DTYPES, JournalTable


def rows(count: int) -> bytes:
    """Looks with rising times."""
    table = np.zeros(count, dtype=JOURNAL_DTYPES[JournalTable.LOOKS])
    table["t_ns"] = np.arange(count)
    return table.tobytes()


def written(folder: Path, frames: int = 3) -> Path:
    """A closed journal with some frames of four looks and a note."""
    path = folder / "journal.bin"
    writer = JournalWriter(path)
    for _ in range(frames):
        writer.append(JournalTable.LOOKS, rows(4))
    writer.note(what="the end")
    writer.close()
    return path


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    """Frames of one table are joined in order; JSON lines come as objects."""
    journal = read_journal(written(tmp_path))
    assert journal.packed[JournalTable.LOOKS]["t_ns"].tolist() == [0, 1, 2, 3] * 3
    assert journal.lines[JournalTable.NOTES] == [{"what": "the end"}]
    assert journal.unread_bytes == 0


@pytest.mark.parametrize("table", list(JOURNAL_DTYPES))
def test_the_rows_have_the_documented_size(table: JournalTable) -> None:
    """Each packed table is as many bytes a row as its page says."""
    page = (Path(__file__).parents[2] / "docs" / "formats" / "journal.md").read_text(encoding="utf-8")
    row = next(line for line in page.split("| number | table")[1].splitlines() if line.startswith(f"| {int(table)} |"))
    assert f"packed, {JOURNAL_DTYPES[table].itemsize} bytes" in row


@given(cut=st.integers(min_value=8, max_value=10_000))
@settings(max_examples=40, deadline=None)
def test_a_journal_cut_anywhere_loses_only_its_last_frame(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Whole frames before the cut are kept, and the bytes after them are counted."""
    path = written(tmp_path_factory.mktemp("cut"), frames=20)
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    journal = read_journal(path)
    frame = 12 + len(rows(4))
    whole = min(20, (len(data) - 8) // frame)
    assert len(journal.packed[JournalTable.LOOKS]) == 4 * whole
    assert journal.unread_bytes < frame


def test_damage_in_the_middle_ends_the_reading(tmp_path: Path) -> None:
    """A frame whose CRC does not fit ends the journal, and the rest is counted as unread."""
    path = written(tmp_path)
    data = bytearray(path.read_bytes())
    data[8 + 12 + len(rows(4)) + 40] ^= 1
    path.write_bytes(bytes(data))
    journal = read_journal(path)
    assert len(journal.packed[JournalTable.LOOKS]) == 4
    assert journal.unread_bytes > 0


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file without the magic is no journal."""
    (tmp_path / "journal.bin").write_bytes(b"not a journal at all")
    with pytest.raises(RecordingError, match="not a storeprof journal"):
        read_journal(tmp_path / "journal.bin")


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    """A journal of a later version asks for an upgrade."""
    path = written(tmp_path)
    data = bytearray(path.read_bytes())
    data[6] = 9
    path.write_bytes(bytes(data))
    with pytest.raises(RecordingError, match="newer storeprof"):
        read_journal(path)


def test_a_journal_being_written_is_known_by_its_lock(tmp_path: Path) -> None:
    """The recorder holds a lock until it closes the journal."""
    writer = JournalWriter(tmp_path / "journal.bin")
    assert is_being_written(tmp_path / "journal.bin")
    writer.close()
    assert not is_being_written(tmp_path / "journal.bin")
