"""A snapshot as rows of tables: what each column shows, and what rows are ordered by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from storeprof.live.feed import WINDOW_NS
from storeprof.live.snapshot import FunctionRow, OperationRow, Snapshot, ThreadRow
from storeprof.report.bars import pieces
from storeprof.report.units import duration

BAR = 14
Row = TypeVar("Row")
Pieces = tuple[tuple[str, str], ...]  # text and style
Cell = str | Pieces


@dataclass(frozen=True)
class Sheet(Generic[Row]):
    """One table: its columns, its rows by key, and the orders that `s` goes through (name, largest first).

    `numbers` are the columns aligned right; `flexible` those that are cut, in this order, where the terminal is narrow.
    """

    name: str
    columns: tuple[str, ...]
    rows_of: Callable[[Snapshot], tuple[Row, ...]]
    key: Callable[[Row], str]
    cells: Callable[[Row], tuple[Cell, ...]]
    orders: tuple[tuple[str, Callable[[Row], float]], ...]
    numbers: tuple[int, ...]
    flexible: tuple[int, ...]

    def rows(self, snapshot: Snapshot, order: int) -> list[tuple[str, tuple[Cell, ...]]]:
        """Keys and cells in the order that was asked for."""
        by = self.orders[order % len(self.orders)][1]
        ranked = sorted(self.rows_of(snapshot), key=by, reverse=True)
        return [(self.key(row), self.cells(row)) for row in ranked]


def _bar(wall: dict[str, float]) -> Pieces:
    return pieces(wall, BAR)


def _operation(row: OperationRow) -> tuple[Cell, ...]:
    return row.name, f"{row.per_s:,.0f}", duration(row.p50_s), duration(row.p99_s), _bar(row.wall)


def _thread(row: ThreadRow) -> tuple[Cell, ...]:
    return f"{row.tid} {row.name}", f"{row.cpu:.0%}", _bar(row.wall), row.doing, row.place


def _function(row: FunctionRow) -> tuple[Cell, ...]:
    return f"{row.own_s / _WINDOW_S:.1%}", f"{row.total_s / _WINDOW_S:.1%}", f"{row.function}:{row.line}"


_WINDOW_S = WINDOW_NS / 1e9

OPERATIONS: Sheet[OperationRow] = Sheet(
    "operations",
    ("operation", "per second", "P50", "P99", "wall time"),
    lambda snapshot: snapshot.operations,
    lambda row: row.name,
    _operation,
    (
        ("rate", lambda row: row.per_s),
        ("P99", lambda row: row.p99_s or 0.0),
        ("wall time", lambda row: sum(row.wall.values())),
    ),
    numbers=(1, 2, 3),
    flexible=(0,),
)
THREADS: Sheet[ThreadRow] = Sheet(
    "threads",
    ("thread", "CPU", "wall time", "now", "at"),
    lambda snapshot: snapshot.threads,
    lambda row: str(row.tid),
    _thread,
    (
        ("CPU", lambda row: row.cpu),
        ("waits", lambda row: sum(row.wall.values()) - row.wall.get("cpu", 0.0)),
    ),
    numbers=(1,),
    flexible=(4, 3, 0),
)
FUNCTIONS: Sheet[FunctionRow] = Sheet(
    "functions",
    ("own CPU", "total", "function"),
    lambda snapshot: snapshot.functions,
    lambda row: row.function,
    _function,
    (("own CPU", lambda row: row.own_s), ("total", lambda row: row.total_s)),
    numbers=(0, 1),
    flexible=(2,),
)
