"""memray: live heap at its peak, leaks and temporary allocations of a Python program, by the line that allocated.

Runs in the program's own interpreter, which therefore needs it installed. Python's small-object allocator is traced
too: otherwise its reserves look like leaks.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.installing import pip_command
from storeprof.collect.pass_tool import Figure, PassOptions, PassResult, Reading, StartsCommand, Target
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError

ASK_TIMEOUT_S: Final = 20.0
# The tables that `memray transform csv` makes of one file: suffix -> (option, figure, group).
TABLES: Final = {
    ".peak.csv": ((), "live at the peak", "heap"),
    ".temporary.csv": (("--temporary-allocations",), "temporary", "heap"),
    ".leaks.csv": (("--leaks",), "never freed", "leaks"),
}
_COLUMNS: Final = ["allocator", "num_allocations", "size", "tid", "thread_name", "stack_trace"]
# memray's own start of the program, and what an interpreter keeps until its end without leaking.
_OWN: Final = ("/memray/", "<frozen runpy>")
_KEPT: Final = ("<frozen importlib", "importlib/", "<unknown>")

Stack = tuple[tuple[str, str | None, int | None], ...]
NO_FRAME: Final[Stack] = (("(no Python frame)", None, None),)


class Memray(StartsCommand):
    """The collector `memray`."""

    name = "memray"
    collects = frozenset({"heap", "leaks"})
    adds = "Python programs: live heap at its peak, leaks and temporary allocations, by line"
    costs = "up to 3 times slower, where a program does little but allocate"

    def available(self, context: Context) -> Availability:
        """Whether the program's interpreter has it (storeprof's own where no program is known)."""
        return importable(context.python or sys.executable)

    def unfit(self, target: Target) -> str | None:
        """It looks into Python programs."""
        if target.command and target.python is None:
            return "it looks into Python programs, and this is none"
        return super().unfit(target)

    def command(self, options: PassOptions) -> list[str]:
        """`python -m memray run … SCRIPT …`."""
        python = options.target.python
        if python is None:
            raise CollectorError("memray looks into Python programs, and this is none")
        run = ("memray", "run", "--quiet", "--force", "--trace-python-allocators", "--output", str(options.output))
        return python.under(*run)

    def readings(self, options: PassOptions) -> list[Reading]:
        """Three tables of one file."""
        python = options.target.python
        interpreter = python.interpreter[0] if python else sys.executable
        transform = [interpreter, "-m", "memray", "transform", "csv", "--force"]
        return [
            Reading([*transform, *option, "--output", f"{options.output}{suffix}", str(options.output)], _said(options))
            for suffix, (option, _, _) in TABLES.items()
        ]

    def parse(self, output: Path) -> PassResult:
        """Bytes by stack, from the tables; what only the interpreter keeps is summed up in a note."""
        figures, notes = [], []
        for suffix, (_, figure, group) in TABLES.items():
            path = Path(f"{output}{suffix}")
            with open(path, encoding="utf-8", errors="replace", newline="") as lines:
                sites = parse_csv(lines, path.name)
            kept = sum(size for stack, (size, _) in sites.items() if group == "leaks" and not _own(stack))
            rows = [(stack, size, count) for stack, (size, count) in sites.items() if group == "heap" or _own(stack)]
            rows.sort(key=lambda row: -row[1])
            figures.append(Figure(f"{figure}, all", float(sum(size for _, size, _ in rows)), "bytes", (), group))
            for stack, size, count in rows:
                figures.append(Figure(figure, float(size), "bytes", stack, group))
                if group == "heap" and figure == "temporary":
                    figures.append(Figure(figure, float(count), "allocations", stack, group))
            if kept:
                notes.append(f"{kept / 1e6:.1f} MB that modules and the interpreter keep until the end are left out")
        return PassResult(figures, notes)


def importable(python: str) -> Availability:
    """Whether an interpreter can import memray."""
    try:
        done = run_tool([python, "-c", "import memray"], timeout_s=ASK_TIMEOUT_S)
    except CollectorError as error:
        return Availability(False, str(error), f"check {python}")
    if done.status != 0:
        return Availability(False, "memray is not installed for this Python", pip_command("memray", python))
    return Availability(True)


def parse_csv(lines: Iterable[str], name: str) -> dict[Stack, tuple[int, int]]:
    """(bytes, allocations) by stack from `memray transform csv`.

    Columns: allocator, num_allocations, size, tid, thread_name, stack_trace; a stack is `function;file;line`, innermost
    first, joined by `|`. Raises CollectorError naming the line that can't be read.
    """
    sums: dict[Stack, tuple[int, int]] = defaultdict(lambda: (0, 0))
    rows = csv.reader(lines)
    try:
        if next(rows, None) != _COLUMNS:
            raise ValueError("not the columns of memray transform csv")
        for row in rows:
            if len(row) != len(_COLUMNS):
                raise ValueError(f"{len(row)} columns instead of {len(_COLUMNS)}")
            stack = _stack(row[5])
            size, count = sums[stack]
            sums[stack] = (size + _whole(row[2]), count + _whole(row[1]))
    except (ValueError, csv.Error) as error:
        raise CollectorError(f"{name}, line {rows.line_num}: {error}") from None
    return dict(sums)


def _stack(text: str) -> Stack:
    frames: list[tuple[str, str | None, int | None]] = []
    for frame in text.split("|") if text else ():
        function, file, line = frame.rsplit(";", 2) if frame.count(";") >= 2 else ("", "", "")
        if not line.isdecimal():
            raise ValueError(f"{frame[:80]!r} is no frame")
        if not any(own in file for own in _OWN):
            frames.append((function, file, int(line)))
    return tuple(frames) or NO_FRAME


def _own(stack: Stack) -> bool:
    """Whether the program's own code allocated, and not an import or the interpreter."""
    return stack != NO_FRAME and not any(kept in (file or "") for _, file, _ in stack for kept in _KEPT)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(text)


def _said(options: PassOptions) -> Path:
    return options.output.with_name(options.output.name + ".said")
