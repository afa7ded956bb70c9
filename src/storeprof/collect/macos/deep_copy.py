r"""What Instruments puts into the clipboard (Edit > Deep Copy): a call tree as a table with tabs.

    head = weight TAB self TAB [ TAB ] "Symbol Name"
    row  = weight percent TAB self TAB blanks symbol

Versions differ: `Running Time`, `Self (ms)` (7), `Weight`, `Self Weight` (13, 16); allocations have `Bytes Used` and
`Count` instead. The depth of a node is the number of blanks before its symbol, less those of the first row. Amounts are
rounded to three digits; what a node has for itself is taken from its own column, or from counts, which are exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from storeprof.collect.tool_output import CutShort, Frame, Lines, number, size_bytes

Kind = Literal["time", "cycles", "allocations"]
_AMOUNT: Final = re.compile(r"\s*(?P<value>-?\d[\d,]*(?:\.\d+)?)\s?(?P<unit>[a-zA-Zµμ]*)")
_TIME_NS: Final = {
    "ns": 1.0,
    "µs": 1e3,
    "μs": 1e3,
    "us": 1e3,
    "ms": 1e6,
    "s": 1e9,
    "min": 6e10,
    "m": 6e10,
    "h": 3.6e12,
    "hr": 3.6e12,
}
_CYCLES: Final = {"c": 1.0, "kc": 1e3, "mc": 1e6, "gc": 1e9, "tc": 1e12, "cycles": 1.0}
_PROCESS: Final = re.compile(r"(?P<name>.+?) \((?P<pid>\d{1,9})\)$")
_THREAD: Final = re.compile(r"(?P<name>.*\S)\s+(?P<tid>0x[0-9a-f]+)\s*$")
SYMBOL: Final = re.compile(r"Symbol Names?\s*$")


@dataclass(frozen=True, slots=True)
class CopiedNode:
    """What one path (leaf first) has for itself: `amount` in ns, cycles or bytes, `count` of allocations."""

    frames: tuple[Frame, ...]
    amount: int
    count: int | None = None
    thread: str | None = None


@dataclass(slots=True)
class DeepCopy:
    """A call tree; `total` is the sum of its roots (rounded); process and pid where the tree begins with them."""

    kind: Kind
    nodes: list[CopiedNode] = field(default_factory=list)
    total: int = 0
    process: str | None = None
    pid: int | None = None
    cut_short: CutShort | None = None


def parse_deep_copy(source: Iterable[str]) -> DeepCopy:
    """Read a deep copy; raises UnreadableLine for a row that is none."""
    lines = Lines(source)
    for line in lines:
        if SYMBOL.search(line) and "\t" in line:
            return _Reader(lines, line).read()
    raise lines.wrong("no deep copy of Instruments: no head with `Symbol Name`")


@dataclass(slots=True)
class _Open:
    depth: int
    name: str
    amount: int
    own: int | None
    count: int | None
    left: int
    left_count: int


class _Reader:
    def __init__(self, lines: Lines, head: str) -> None:
        self._lines = lines
        columns = [cell.strip().lower() for cell in head.split("\t")]
        allocations = "bytes used" in columns or "total bytes" in columns
        self._self_at = next((at for at, name in enumerate(columns) if name.startswith("self")), None)
        self._count_at = next((at for at, name in enumerate(columns) if name in ("count", "# persistent")), None)
        self._self_unit = "ms" if self._self_at is not None and "(ms)" in columns[self._self_at] else ""
        # The symbol stands behind the amounts.
        self._last_at = max(2, 1 + (self._self_at or 0), 1 + (self._count_at or 0))
        self._copy = DeepCopy("allocations" if allocations else "time")
        self._known = allocations
        self._base: int | None = None
        self._path: list[_Open] = []

    def read(self) -> DeepCopy:
        for line in self._lines:
            if line.strip():
                self._row(line)
        if self._lines.unended is not None:
            if self._path_is_whole():
                self._row(self._lines.unended)
            else:
                self._copy.cut_short = CutShort(self._lines.number, "its last line has no end: it was left out")
        self._drop_what_is_missing()
        self._close(0)
        if not self._copy.nodes:
            raise self._lines.wrong("a deep copy without rows")
        return self._copy

    def _drop_what_is_missing(self) -> None:
        """Without a column of its own, what callers of the last row still have may be rows that were cut off."""
        missing = sum(one.left_count for one in self._path[:-1] if one.own is None)
        if missing > 0:
            for one in self._path[:-1]:
                one.left = one.left_count = 0
            self._copy.cut_short = CutShort(self._lines.number, f"{missing} allocations have no row")

    def _path_is_whole(self) -> bool:
        """Whether the last line, which the clipboard leaves without an end, has its amounts before its symbol."""
        cells = (self._lines.unended or "").split("\t")
        return len(cells) > self._last_at and bool(cells[-1].strip())

    def _row(self, line: str) -> None:
        cells = line.split("\t")
        if len(cells) <= self._last_at or not cells[-1].strip():
            raise self._lines.wrong("no row of a deep copy", line)
        blanks = len(cells[-1]) - len(cells[-1].lstrip(" "))
        self._base = blanks if self._base is None else self._base
        depth = blanks - self._base
        amount = self._amount(cells[0], line)
        if depth < 0 or depth > len(self._path):
            raise self._lines.wrong("a row without a caller: it is too far to the right", line)
        self._close(depth)
        own = self._amount(cells[self._self_at] + self._self_unit, line) if self._self_at is not None else None
        count = number(cells[self._count_at], self._lines) if self._count_at is not None else None
        if self._path:
            above = self._path[-1]
            above.left -= amount
            above.left_count -= count or 0
            if above.left_count < 0:
                raise self._lines.wrong("it and its siblings have a higher count than their caller", line)
        else:
            self._copy.total += amount
        self._path.append(_Open(depth, cells[-1].strip(), amount, own, count, amount, count or 0))

    def _amount(self, text: str, line: str) -> int:
        plain = text.replace("\u2007", " ").replace("\xa0", " ").strip()
        if plain.startswith("-") and not plain[1:2].isdigit():
            return 0
        found = _AMOUNT.match(plain)
        if found is None or len(found["value"]) > 24:
            raise self._lines.wrong("no amount", line)
        value, unit = float(found["value"].replace(",", "")), found["unit"].lower()
        if self._copy.kind == "allocations":
            size = size_bytes(f"{found['value']}{found['unit']}")
            if size is None:
                raise self._lines.wrong("no size", line)
            return size
        if unit in _CYCLES and unit:
            if not self._known:
                self._copy.kind = "cycles"
            self._known = True
            return round(value * _CYCLES[unit])
        if unit in _TIME_NS:
            self._known = True
            return round(value * _TIME_NS[unit])
        if unit == "" and value == 0:
            return 0
        raise self._lines.wrong("an amount of an unknown unit", line)

    def _close(self, depth: int) -> None:
        while len(self._path) > depth:
            one = self._path[-1]
            own = (
                one.own if one.own is not None else (max(0, one.left) if one.left_count > 0 or one.count is None else 0)
            )
            if own > 0 or (one.count is not None and one.left_count > 0):
                self._copy.nodes.append(self._node(own, one.left_count if one.count is not None else None))
            self._path.pop()

    def _node(self, own: int, count: int | None) -> CopiedNode:
        names = [one.name for one in self._path]
        thread = None
        process = _PROCESS.match(names[0])
        if process and not names[0].endswith("()"):
            self._copy.process, self._copy.pid = process["name"], int(process["pid"])
            names.pop(0)
            if names and _THREAD.match(names[0]):
                thread = names.pop(0)
        return CopiedNode(tuple(Frame(name) for name in reversed(names)), own, count, thread)
