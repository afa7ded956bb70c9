"""Parquet tables of a recording: written from arrays, always with the documented columns and types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from storeprof.recording.schema import TABLES

Columns = Mapping[str, np.ndarray[Any, Any]]


def write_table(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, columns: Columns) -> None:
    """Write one table as `folder/name.parquet`.

    `columns` maps column names to arrays of one length; a missing column becomes null throughout, an array of masked
    values becomes null where masked. Unknown columns are a mistake of the caller (KeyError).
    """
    schema = TABLES[name]
    unknown = set(columns) - set(schema)
    if unknown:
        raise KeyError(f"table {name} has no column {sorted(unknown)}")
    target = str(folder / f"{name}.parquet").replace("'", "''")
    picked = ", ".join(f'CAST({_source(column, columns)} AS {kind}) AS "{column}"' for column, kind in schema.items())
    length = max((len(values) for values in columns.values()), default=0)
    if length == 0:
        empty = ", ".join(f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in schema.items())
        connection.execute(f"COPY (SELECT {empty} WHERE false) TO '{target}' (FORMAT parquet)")
        return
    connection.register("incoming", dict(columns))
    try:
        connection.execute(f"COPY (SELECT {picked} FROM incoming) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    finally:
        connection.unregister("incoming")


def _source(column: str, columns: Columns) -> str:
    return f'"{column}"' if column in columns else "NULL"


def strings(values: list[str | None]) -> np.ndarray[Any, Any]:
    """An array of text in which None becomes null."""
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def integers(values: list[int | None]) -> np.ndarray[Any, Any]:
    """An array of whole numbers in which None becomes null."""
    mask = [value is None for value in values]
    return np.ma.masked_array(np.array([0 if value is None else value for value in values], dtype=np.int64), mask=mask)


def floats(values: list[float | None]) -> np.ndarray[Any, Any]:
    """An array of numbers in which None becomes null."""
    mask = [value is None for value in values]
    return np.ma.masked_array(np.array([value or 0.0 for value in values], dtype=np.float64), mask=mask)


def null_where(values: np.ndarray[Any, Any], missing: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same values, null where `missing` is true."""
    return np.ma.masked_array(values, mask=missing)


def first_free(identities: np.ndarray[Any, Any]) -> int:
    """The smallest number above all that are taken."""
    return int(identities.max()) + 1 if len(identities) else 0


def joined(first: Columns, second: Columns) -> Columns:
    """Rows of one table under those of another; a column that only one of them has is null in the other's."""
    names = list(dict.fromkeys([*first, *second]))
    return {name: _concatenated(_column(first, name), _column(second, name)) for name in names}


def _concatenated(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    joined: np.ndarray[Any, Any] = np.ma.concatenate([first, second])  # type: ignore[no-untyped-call]
    return joined


def _column(columns: Columns, name: str) -> np.ndarray[Any, Any]:
    if name in columns:
        return columns[name]
    return strings([None] * len(next(iter(columns.values()))))
