"""Python frames of a journal, as the sampler copied them, become functions and lines.

The sampler numbers frames by instruction and leaves names and line tables as they lay in memory; here frames of one
line become one, and stacks and looks follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.recording.journal import Journal
from storeprof.recording.schema import NONE, JournalTable

Array = np.ndarray[Any, Any]
_ENCODINGS = {"1": "latin-1", "2": "utf-16-le", "4": "utf-32-le"}
_LONG, _NO_COLUMNS, _ONE_LINE, _NO_LOCATION = 14, 13, 10, 15


@dataclass(frozen=True)
class Code:
    """A code object: what it is called, and where its instructions (2-byte units) stand in the source."""

    function: str
    file: str
    first_line: int
    table: bytes

    @classmethod
    def of(cls, row: dict[str, Any]) -> Code:
        """From its line in the journal."""
        table = bytes.fromhex(row["linetable"])
        return cls(_text(row["qualname"]), _text(row["filename"]), row["first_line"], table)

    @cached_property
    def _lines(self) -> list[tuple[int, int]]:
        return list(lines_of(self.table, self.first_line))

    def line(self, unit: int) -> int:
        """Source line of an instruction; 0 when it has none. Unit -1 is before the first one."""
        if unit < 0:
            return self.first_line
        return next((max(line, 0) for end, line in self._lines if unit < end), 0)


def lines_of(table: bytes, line: int) -> Iterator[tuple[int, int]]:
    """(end unit, line) of each entry of a location table (CPython 3.11 and later: Objects/locations.md); 0: no line.

    A table that is cut short or makes no sense gives what can be read of it.
    """
    at = iter(table)
    unit = 0
    for head in at:
        kind = head >> 3 & 15
        if kind == _LONG:
            line += _signed(_varint(at))
            for _ in range(3):
                _varint(at)
        elif kind == _NO_COLUMNS:
            line += _signed(_varint(at))
        elif kind < _NO_COLUMNS:
            line += max(kind - _ONE_LINE, 0)
            for _ in range(2 if kind >= _ONE_LINE else 1):
                next(at, 0)
        unit += (head & 7) + 1
        yield unit, 0 if kind == _NO_LOCATION else line


def _varint(at: Iterator[int]) -> int:
    value = shift = 0
    for byte in at:
        value |= (byte & 63) << shift
        shift += 6
        if not byte & 64:
            break
    return value


def _signed(value: int) -> int:
    return -(value >> 1) if value & 1 else value >> 1


def _text(copied: str) -> str:
    width, _, digits = copied.partition(":")
    return bytes.fromhex(digits).decode(_ENCODINGS[width], "replace") if width in _ENCODINGS else "?"


def with_lines(journal: Journal) -> Journal:
    """The same journal with table `frames` by function and line, and stacks and looks that refer to it."""
    frames, frame_numbers = _frames(journal.lines[JournalTable.FRAMES])
    stacks, stack_numbers = _stacks(journal.packed[JournalTable.STACKS], frame_numbers)
    looks = journal.packed[JournalTable.LOOKS].copy()
    known = looks["py_stack"] < len(stack_numbers)
    looks["py_stack"] = np.where(
        known, stack_numbers[np.where(known, looks["py_stack"], 0)] if known.any() else NONE, NONE
    )
    return replace(
        journal,
        packed={**journal.packed, JournalTable.STACKS: stacks, JournalTable.LOOKS: looks},
        lines={**journal.lines, JournalTable.FRAMES: frames},
    )


def _frames(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """Frames by function and line; number of the sampler's frame -> number of that."""
    codes: dict[int, Code] = {}
    numbers: dict[tuple[Any, ...], int] = {}
    number_of: dict[int, int] = {}
    for row in rows:
        if "frame" not in row:
            codes[row["code"]] = Code.of(row)
        elif row["code"] in codes:
            code = codes[row["code"]]
            key = (code.function, code.file, code.line(row["unit"]), max(code.first_line, 0), row["generator"])
            number_of[row["frame"]] = numbers.setdefault(key, len(numbers))
    names = ("function", "file", "line", "first_line", "generator")
    return [dict(zip(names, key, strict=True), frame=number) for key, number in numbers.items()], number_of


def _stacks(rows: Array, frame_numbers: dict[int, int]) -> tuple[Array, Array]:
    """Stacks of such frames; number of the sampler's stack -> number of that, NONE where it is not known."""
    numbers: dict[tuple[int, int], int] = {}
    number_of: dict[int, int] = {NONE: NONE}
    for stack, parent, frame in rows.tolist():  # a caller's stack comes before it
        if parent in number_of and frame in frame_numbers:
            key = (number_of[parent], frame_numbers[frame])
            number_of[stack] = numbers.setdefault(key, len(numbers))
    del number_of[NONE]
    stacks: Array = np.zeros(len(numbers), dtype=rows.dtype)
    stacks["stack"] = np.arange(len(numbers))
    stacks["parent"], stacks["frame"] = np.array(list(numbers), dtype=np.uint32).reshape(-1, 2).T
    table = np.full(max(number_of, default=-1) + 1, NONE, dtype=np.uint32)
    table[list(number_of)] = list(number_of.values())
    return stacks, table
