"""`Recording`: what every stage after the recorder reads, whether just made or opened from disk."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from storeprof.errors import RecordingError
from storeprof.recording.schema import FORMAT_VERSION, TABLES

META = "recording.json"
JOURNAL = "journal.bin"
THREADS = 2


def write_meta(folder: Path, meta: dict[str, Any]) -> None:
    """Replace `recording.json` in one step."""
    partial = folder / (META + ".partial")
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(meta, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / META)


def read_meta(folder: Path) -> dict[str, Any]:
    """Read `recording.json`.

    Raises RecordingError with one line for a folder that is no recording, a damaged one, or one of a later format.
    """
    path = folder / META
    if not folder.exists():
        raise RecordingError(f"{folder}: no such recording; `storeprof record -- COMMAND` makes one")
    if not folder.is_dir():
        raise RecordingError(f"{folder}: a recording is a folder, this is a file")
    if not path.exists():
        raise RecordingError(
            f"{folder}: not a recording (it has no {META}); name a folder that `storeprof record` made"
        )
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        found = int(meta["format"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: damaged ({error}); record again") from None
    except OSError as error:
        raise RecordingError(f"{path}: can't be read ({error.strerror})") from None
    if found > FORMAT_VERSION:
        raise RecordingError(
            f"{folder}: recorded by a newer storeprof (format {found}, this one reads up to {FORMAT_VERSION}); "
            "upgrade storeprof"
        )
    wanted = ("state", "started_ns", "machine") + (("ended_ns",) if meta.get("state") == "complete" else ())
    missing = [key for key in wanted if meta.get(key) is None]
    if missing:
        raise RecordingError(f"{path}: damaged (no {missing[0]}); record again")
    assert isinstance(meta, dict)
    if wrong := _impossible(meta):
        raise RecordingError(f"{path}: damaged ({wrong}); record again")
    return meta


def _impossible(meta: dict[str, Any]) -> str | None:
    """What can't be true of any recording, in words; None where nothing is."""
    if not isinstance(meta["machine"], dict):
        return "machine is no object"
    if not all(isinstance(meta.get(key) or 0, int) for key in ("started_ns", "ended_ns")):
        return "its times are no numbers"
    window = meta.get("window")
    try:
        ends = [int(end) for end in window] if window else [0, 1]
    except (ValueError, TypeError):
        return "its window is no pair of times"
    return None if len(ends) == 2 and ends[0] <= ends[1] else "its window ends before it begins"


@dataclass(frozen=True)
class Recording:
    """A complete recording: `meta` is recording.json, `sql` asks its tables."""

    folder: Path
    meta: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Recording:
        """Open a complete recording.

        Raises RecordingError when it is missing, unfinished, damaged or of a later format.
        """
        meta = read_meta(folder)
        if meta.get("state") != "complete":
            raise RecordingError(f"{folder}: unfinished; finish it with `storeprof analyze {folder}`")
        if not (folder / "tables" / "looks.parquet").exists():
            raise RecordingError(f"{folder}: damaged (its tables are missing); record again")
        recording = cls(folder, meta)
        _ = recording._connection
        return recording

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        connection.execute(f"SET threads = {THREADS}")
        for name, columns in TABLES.items():
            path = self.folder / "tables" / f"{name}.parquet"
            try:
                connection.execute(f'CREATE VIEW "{name}" AS {_view(connection, path, columns)}')
            except duckdb.Error as error:
                first = str(error).split("\n", 1)[0]
                raise RecordingError(f"{path}: damaged ({first}); record again") from None
        return connection

    def sql(self, query: str, parameters: Sequence[object] = ()) -> dict[str, np.ndarray[Any, Any]]:
        """Run a query over the tables (each a view by its name).

        Returns columns by name as arrays of one length; nulls come as masked values. Raises RecordingError when a
        table can't be read.
        """
        try:
            return self._connection.execute(query, list(parameters)).fetchnumpy()
        except duckdb.Error as error:
            first = str(error).split("\n", 1)[0]
            raise RecordingError(f"{self.folder}: a table can't be read ({first}); record again") from None

    @property
    def window(self) -> tuple[int, int]:
        """Start and end (CLOCK_MONOTONIC ns) of what is analysed; warm-up lies before it."""
        window = self.meta.get("window")
        return (int(window[0]), int(window[1])) if window else (self.meta["started_ns"], self.meta["ended_ns"])

    @property
    def duration_s(self) -> float:
        """Length of the analysed window in seconds."""
        start, end = self.window
        return (end - start) / 1e9


def rows_of(columns: dict[str, np.ndarray[Any, Any]]) -> list[dict[str, Any]]:
    """Columns that `sql` returned as rows, for small tables; a null is None."""
    lists = [values.tolist() for values in map(np.ma.asarray, columns.values())]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _view(connection: duckdb.DuckDBPyConnection, path: Path, columns: dict[str, str]) -> str:
    """The table as SQL; columns that an older storeprof did not write yet are null."""
    if not path.exists():
        return f"SELECT {_nulls(columns)} WHERE false"
    quoted = str(path).replace("'", "''")
    found = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{quoted}')").fetchall()
    missing = {column: kind for column, kind in columns.items() if column not in {row[0] for row in found}}
    return f"SELECT *{', ' + _nulls(missing) if missing else ''} FROM read_parquet('{quoted}')"


def _nulls(columns: dict[str, str]) -> str:
    return ", ".join(f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in columns.items())
