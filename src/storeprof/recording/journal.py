"""The journal: what is on disk while a recording is being made (docs/formats/journal.md)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from storeprof.errors import RecordingError
from storeprof.recording.sampler_numbers import offsets_of, shift_lines, shifted_rows, sizes
from storeprof.recording.schema import JOURNAL_DTYPES, JOURNAL_MAGIC, JSON_TABLES, JournalTable

_FRAME = struct.Struct("<IIHH")
_TABLE = struct.Struct("<H")


def _checksum(table: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_TABLE.pack(table)))


class RowSink(Protocol):
    """Where samplers write their rows: a journal, or the live view's memory of the last seconds."""

    def append(self, table: int, payload: bytes, sampler: int = 0) -> None:
        """Take one frame."""
        ...

    def append_all(self, frames: Iterable[tuple[int, bytes]], sampler: int = 0) -> None:
        """Take frames as a sampler drained them."""
        ...


class JournalWriter:
    """Appends frames to `journal.bin`; holds a lock on it, so that a reader can tell a live recording.

    `failure` is why nothing more could be written (the disk is full): from then on rows are dropped, and the program
    under study is let go on.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._end = os.write(self._fd, JOURNAL_MAGIC)
        self.failure: str | None = None

    def append(self, table: int, payload: bytes, sampler: int = 0) -> None:
        """Write one frame in a single call, so that a kill leaves at most one frame unfinished."""
        if not payload or self.failure:
            return
        header = _FRAME.pack(len(payload), _checksum(table, payload), table, sampler)
        try:
            written = os.writev(self._fd, [header, payload])
        except OSError as error:
            self.failure = error.strerror
            return
        if written < len(header) + len(payload):
            self.failure = os.strerror(errno.ENOSPC)
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._end)
        else:
            self._end += written

    def append_all(self, frames: Iterable[tuple[int, bytes]], sampler: int = 0) -> None:
        """Write frames as a sampler drained them."""
        for table, payload in frames:
            self.append(table, payload, sampler)

    def note(self, **fields: object) -> None:
        """Write one line of table `notes`."""
        self.append(JournalTable.NOTES, json.dumps(fields).encode() + b"\n")

    def close(self) -> None:
        """Close the file and let go of its lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@dataclass(frozen=True)
class Journal:
    """All rows of a journal, by table, and how many bytes at its end could not be read.

    Numbers are unique over all samplers that wrote into it.
    """

    packed: dict[JournalTable, np.ndarray[Any, Any]]
    lines: dict[JournalTable, list[dict[str, Any]]]
    unread_bytes: int


def _frames(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (end offset, table, sampler, payload) up to the first frame that does not fit."""
    at = len(JOURNAL_MAGIC)
    while at + _FRAME.size <= len(data):
        length, crc, table, sampler = _FRAME.unpack_from(data, at)
        end = at + _FRAME.size + length
        if end > len(data):
            return
        payload = data[at + _FRAME.size : end]
        if _checksum(table, payload) != crc:
            return
        yield end, table, sampler, payload
        at = end


def is_being_written(path: Path) -> bool:
    """Whether a recorder still holds the journal's lock."""
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def read_journal(path: Path) -> Journal:
    """Read every whole frame.

    Raises RecordingError when the file is no journal or of a newer version.
    """
    data = path.read_bytes()
    if data[:6] != JOURNAL_MAGIC[:6]:
        raise RecordingError(f"{path}: not a storeprof journal; record again")
    if data[6] > JOURNAL_MAGIC[6]:
        raise RecordingError(f"{path}: written by a newer storeprof (journal version {data[6]}); upgrade storeprof")
    if data[6] < JOURNAL_MAGIC[6]:
        raise RecordingError(f"{path}: left by an older storeprof (journal version {data[6]}); finish it with that one")
    chunks: dict[int, dict[JournalTable, list[bytes]]] = {0: _no_chunks()}
    known = frozenset(int(table) for table in JournalTable)
    end = len(JOURNAL_MAGIC)
    for frame_end, number, sampler, payload in _frames(data):
        end = frame_end
        if number in known:
            chunks.setdefault(sampler, _no_chunks())[JournalTable(number)].append(payload)
    packed, lines = _joined([chunks[sampler] for sampler in sorted(chunks)])
    return Journal(packed, lines, len(data) - end)


def _no_chunks() -> dict[JournalTable, list[bytes]]:
    return {table: [] for table in JournalTable}


def _joined(
    samplers: list[dict[JournalTable, list[bytes]]],
) -> tuple[dict[JournalTable, np.ndarray[Any, Any]], dict[JournalTable, list[dict[str, Any]]]]:
    """Rows of all samplers together, each one's numbers shifted past those of the samplers before it."""
    packed = [{table: _rows(dtype, chunks[table]) for table, dtype in JOURNAL_DTYPES.items()} for chunks in samplers]
    lines = [{table: _json_lines(chunks[table]) for table in JSON_TABLES} for chunks in samplers]
    offsets = offsets_of(sizes(rows, texts) for rows, texts in zip(packed, lines, strict=True))
    for texts, offset in zip(lines, offsets, strict=True):
        for table in JSON_TABLES:
            shift_lines(table, texts[table], offset)
    return (
        {
            table: _concatenated(
                [shifted_rows(table, rows[table], offset) for rows, offset in zip(packed, offsets, strict=True)]
            )
            for table in JOURNAL_DTYPES
        },
        {table: [line for texts in lines for line in texts[table]] for table in JSON_TABLES},
    )


def _concatenated(parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _rows(dtype: np.dtype[np.void], chunks: list[bytes]) -> np.ndarray[Any, Any]:
    whole = b"".join(chunk[: len(chunk) - len(chunk) % dtype.itemsize] for chunk in chunks)
    return np.frombuffer(whole, dtype=dtype)


def _json_lines(chunks: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for chunk in chunks for line in chunk.decode("utf-8", "replace").split("\n") if line]
