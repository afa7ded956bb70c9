r"""The table of `strace -c`: calls, errors and seconds by system call.

    % time     seconds  usecs/call     calls    errors syscall
    ------ ----------- ----------- --------- --------- ----------------
     83.73    0.003805         190        20         1 fsync
    ------ ----------- ----------- --------- --------- ----------------
    100.00    0.004545          42       106         1 total

`-U` chooses other columns in another order; the rule under the head says where each stands, and a figure may be wider
to its left. `seconds` is system time (CPU in the kernel) unless strace was called with -w: then it is wall time between
call and return. The table does not say which, so neither do we; `wall-total` of newer versions does. Older versions
leave the mean of the total out. `strace -C` and the program itself print before the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Lines, number

_COLUMNS: Final = frozenset(
    {"%time", "seconds", "usecs/call", "calls", "errors", "syscall", "shortest", "longest", "wall-total", "wall-min",
     "wall-max", "wall-avg"}
)  # fmt: skip
_RULE: Final = re.compile(r"\s*-{3,}(?: -{3,})*\s*")


@dataclass(frozen=True, slots=True)
class SystemCall:
    """One system call's row."""

    name: str
    calls: int
    errors: int
    seconds: float
    line: int


@dataclass(slots=True)
class SystemCallTable:
    """Rows of one table (several tables are added up); `wall_known`: its seconds are wall time for certain."""

    calls: list[SystemCall] = field(default_factory=list)
    tables: int = 0
    wall_known: bool = False
    cut_short: CutShort | None = None


def parse_strace_counts(source: Iterable[str]) -> SystemCallTable:
    """Read one table or several; raises UnreadableLine for a row that is none or totals that do not add up."""
    lines = Lines(source)
    table = SystemCallTable()
    for line in lines:
        if is_head(line):
            table.tables += 1
            _read(lines, table, line)
    if table.tables == 0:
        raise lines.wrong("no table of strace -c (its head has `seconds`, `calls` and `syscall`)")
    return table


def is_head(line: str) -> bool:
    """Whether a line is the table's head."""
    names = _names(line)
    return len(names) > 1 and names.count("syscall") == 1 and set(names) <= _COLUMNS


def _names(head: str) -> list[str]:
    return head.replace("% time", "%time").split()


def _read(lines: Lines, table: SystemCallTable, head: str) -> None:
    names = _names(head)
    if "calls" not in names or not {"seconds", "wall-total"} & set(names):
        raise lines.wrong("a table without calls or without seconds: leave -U out", head)
    ruled = next(lines, None)
    if ruled is None:
        table.cut_short = CutShort(lines.number, "the table has no rows")
        return
    spans = [found.span() for found in re.finditer(r"-+", ruled)]
    if not _RULE.fullmatch(ruled) or len(spans) != len(names):
        raise lines.wrong("no rule under the head of strace's table", ruled)
    table.wall_known |= "wall-total" in names
    rows: list[SystemCall] = []
    for line in lines:
        if _RULE.fullmatch(line):
            _check(lines, rows, names, spans)
            table.calls += rows
            return
        rows.append(_row(lines, _cells(lines, line, names, spans)))
    table.calls += rows
    table.cut_short = CutShort(lines.number, "the rows after that, and the total")


def _cells(lines: Lines, line: str, names: list[str], spans: list[tuple[int, int]]) -> dict[str, str]:
    """The figures by their columns: a word belongs to the column that it ends in, a name to that it begins in."""
    cells: dict[str, str] = {}
    for word in re.finditer(r"\S+", line):
        column = next((name for name, (at, end) in zip(names, spans, strict=True) if at <= word.end() - 1 < end), None)
        if column is None or column == "syscall":
            column = next((name for name, (at, _) in zip(names, spans, strict=True) if at == word.start()), column)
        if column is None or column in cells:
            raise lines.wrong("no row of strace's table", line)
        cells[column] = word[0]
    if "syscall" not in cells:
        raise lines.wrong("no row of strace's table", line)
    return cells


def _row(lines: Lines, cells: dict[str, str]) -> SystemCall:
    seconds = cells.get("wall-total", cells.get("seconds", ""))
    if not re.fullmatch(r"\d{1,12}\.\d+", seconds) or "calls" not in cells:
        raise lines.wrong("no row of strace's table", " ".join(cells.values()))
    errors = number(cells["errors"], lines) if "errors" in cells else 0
    return SystemCall(cells["syscall"], number(cells["calls"], lines), errors, float(seconds), lines.number)


def _check(lines: Lines, rows: list[SystemCall], names: list[str], spans: list[tuple[int, int]]) -> None:
    line = next(lines, None)
    if line is None:
        return
    total = _cells(lines, line, names, spans)
    if total["syscall"] != "total" or "calls" not in total:
        raise lines.wrong("no total under strace's table", line)
    if sum(row.calls for row in rows) != number(total["calls"], lines):
        raise lines.wrong(f"the rows have {sum(row.calls for row in rows)} calls, the total says otherwise", line)
