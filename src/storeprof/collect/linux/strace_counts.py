r"""The table of `strace -c`: calls, errors and seconds by system call.

    % time     seconds  usecs/call     calls    errors syscall
    ------ ----------- ----------- --------- --------- ----------------
     83.73    0.003805         190        20         1 fsync
    ------ ----------- ----------- --------- --------- ----------------
    100.00    0.004545          42       106         1 total

`seconds` is system time (CPU in the kernel) unless strace was called with -w: then it is wall time between call and
return. The table does not say which, so neither do we. Older versions leave the mean of the total out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from storeprof.collect.tool_output import CutShort, Lines, number


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
    """Rows of one table (several tables are added up), and its totals."""

    calls: list[SystemCall] = field(default_factory=list)
    tables: int = 0
    cut_short: CutShort | None = None


def parse_strace_counts(source: Iterable[str]) -> SystemCallTable:
    """Read one table or several; raises UnreadableLine for a row that is none or totals that do not add up."""
    lines = Lines(source)
    table = SystemCallTable()
    for line in lines:
        if is_head(line):
            table.tables += 1
            _read(lines, table)
    if table.tables == 0:
        raise lines.wrong("no table of strace -c (its head begins with `% time     seconds`)")
    return table


def is_head(line: str) -> bool:
    """Whether a line is the table's head."""
    return re.match(r"\s*% time\s+seconds\s+.*\bsyscall\s*$", line) is not None


def _read(lines: Lines, table: SystemCallTable) -> None:
    ruled = next(lines, None)
    if ruled is None:
        table.cut_short = CutShort(lines.number, "the table has no rows")
        return
    if not re.fullmatch(r"[- ]+", ruled.strip()):
        raise lines.wrong("no rule under the head of strace's table", ruled)
    rows: list[SystemCall] = []
    for line in lines:
        if re.fullmatch(r"-[- ]+", line.strip()):
            _check(lines, rows)
            table.calls += rows
            return
        rows.append(_row(lines, line))
    table.calls += rows
    table.cut_short = CutShort(lines.number, "the rows after that, and the total")


def _row(lines: Lines, line: str) -> SystemCall:
    cells = line.split()
    wanted = len(cells) in (5, 6)
    if not wanted or not all(re.fullmatch(r"\d+\.\d+", cell) for cell in cells[:2]):
        raise lines.wrong("no row of strace's table", line)
    numbers = [number(cell, lines) for cell in cells[2:-1]]
    errors = numbers[2] if len(numbers) == 3 else 0
    return SystemCall(cells[-1], numbers[1], errors, float(cells[1]), lines.number)


def _check(lines: Lines, rows: list[SystemCall]) -> None:
    total = next(lines, None)
    if total is None:
        return
    cells = total.split()
    if len(cells) < 4 or cells[-1] != "total":
        raise lines.wrong("no total under strace's table", total)
    whole = [cell for cell in cells[2:-1] if cell.isdigit()]
    if sum(row.calls for row in rows) not in {int(cell) for cell in whole}:
        raise lines.wrong(f"the rows have {sum(row.calls for row in rows)} calls, the total says otherwise", total)
