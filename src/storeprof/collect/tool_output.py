"""What the parsers of tools' outputs share: frames, lines with numbers, sizes, and how a file can be wrong.

A parser takes the lines of an output, with their line ends, from anything that yields them: a file of a gigabyte is
read as a stream. It raises `UnreadableLine` for a line that can't be what the format allows. A file that merely ends
too early is no error: what was whole is kept, and `cut_short` of the result says after which line it ended and what
was left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from storeprof.errors import CollectorError

FrameKind = Literal["native", "python", "kernel"]
SHOWN: Final = 100
_SIZE: Final = re.compile(r"(-?\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)")
_BINARY: Final = {"": 0, "b": 0, "bytes": 0, "byte": 0, "k": 1, "kb": 1, "kib": 1, "m": 2, "mb": 2, "mib": 2,
                  "g": 3, "gb": 3, "gib": 3, "t": 4, "tb": 4, "tib": 4}  # fmt: skip


class UnreadableLine(CollectorError):
    """A line that the format does not allow: its number from 1 on, and what is wrong with it."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        self.what = what


@dataclass(frozen=True, slots=True)
class CutShort:
    """The input ended too early: after which line, and what was left out because of it."""

    line: int
    lost: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A function on a stack: `image` is the binary it lies in (name or path), `line` where it stood."""

    function: str
    image: str | None = None
    file: str | None = None
    line: int | None = None
    kind: FrameKind = "native"


@dataclass(frozen=True, slots=True)
class Site:
    """Bytes and blocks by the stack that allocated them (leaf first); None where the tool does not say."""

    frames: tuple[Frame, ...]
    bytes: int | None
    count: int | None
    kind: str


class Lines:
    """Numbered lines without their ends, with a look ahead of one.

    `number` is that of the line taken last. A last line without a line end may be cut in the middle of a figure, so it
    is held back: `unended` is its text then.
    """

    def __init__(self, source: Iterable[str], *, keep_unended: bool = False) -> None:
        self._source = iter(source)
        self._keep = keep_unended
        self._next: str | None = None
        self.number = 0
        self.unended: str | None = None

    def peek(self) -> str | None:
        """The next line, which stays; None at the end."""
        if self._next is None and self.unended is None:
            line = next(self._source, None)
            if line is not None and not line.endswith("\n") and not self._keep:
                self.unended, line = line, None
            self._next = None if line is None else line.rstrip("\r\n")
        return self._next

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.peek()
        if line is None:
            raise StopIteration
        self._next = None
        self.number += 1
        return line

    def wrong(self, what: str, line: str | None = None) -> UnreadableLine:
        """An error about the line taken last; its text is quoted when given."""
        return UnreadableLine(self.number, what if line is None else f"{what}: {line.strip()[:SHOWN]!r}")


def number(text: str, lines: Lines) -> int:
    """A whole number that may have thousands separators; UnreadableLine for anything else."""
    plain = text.replace(",", "").strip()
    if not plain.isascii() or not plain.isdigit() or len(plain) > 19 or int(plain) >= 1 << 63:
        raise lines.wrong("no whole number", text)
    return int(plain)


def size_bytes(text: str, unit: int = 1024) -> int | None:
    """Bytes of a size as tools print it (`92K`, `7.82M`, `1.5 GB`, `300`), of units of `unit`; None when it is none."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or found[2].lower() not in _BINARY:
        return None
    value = float(found[1].replace(",", "")) * unit ** _BINARY[found[2].lower()]
    return round(value) if abs(value) < 1 << 63 else None
