r"""The files of cachegrind and callgrind: events (instructions, cache misses, branches) by function.

Grammar (cachegrind's is a part of callgrind's, which numbers names and repeats the number only):

    file    = { "desc:" … | "cmd:" … | "version:" … | … } "events:" name { name } { body } [ "summary:" n { n } ]
    body    = ("fl" | "fi" | "fe" | "ob" | "cfi" | "cfl" | "cob") "=" name | "fn=" name | "cfn=" name
            | "calls=" n position costs-line | position { position } cost { cost }
    name    = [ "(" number ")" ] [ text ]
    position = n | "+" n | "-" n | "*" | "0x" hex

The line after `calls=` is what the call cost, inclusive: it counts for the caller's total and for nobody's self cost. A
costs line may have fewer costs than there are events; the rest is zero. The sum of all self costs is the summary; a
file without it was cut short, one that disagrees is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Lines, number

_NAME: Final = re.compile(r"(?:\((?P<number>\d+)\)\s*)?(?P<text>.*)")
_HEAD: Final = re.compile(r"([a-zA-Z][\w ]*?):\s?(.*)")
_POSITION: Final = re.compile(r"[+-]?\d+|\*|0x[0-9a-f]+")
_PLACES: Final = {"fl", "fi", "fe", "ob", "cfi", "cfl", "cob"}


@dataclass(slots=True)
class EventCounts:
    """Events by function: `own[(function, file, binary)]` is a list in the order of `events`; `calls` into it."""

    events: tuple[str, ...] = ()
    own: dict[tuple[str, str | None, str | None], list[int]] = field(default_factory=dict)
    inclusive: dict[tuple[str, str | None, str | None], list[int]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    summary: tuple[int, ...] | None = None
    command: str | None = None
    pid: int | None = None
    creator: str = "cachegrind"
    cut_short: CutShort | None = None

    @property
    def totals(self) -> list[int]:
        """Sums of the self costs."""
        sums = [0] * len(self.events)
        for costs in self.own.values():
            sums = [a + b for a, b in zip(sums, costs, strict=True)]
        return sums


def parse_cachegrind(source: Iterable[str]) -> EventCounts:
    """Read a file; raises UnreadableLine for a line that is none and for sums that do not add up."""
    reader = _Reader(Lines(source))
    counts = reader.read()
    if not counts.events:
        raise reader.lines.wrong("no file of cachegrind or callgrind: it has no `events:`")
    plain = counts.creator == "cachegrind" and not reader.numbered
    if (plain and not reader.summed) or reader.lines.unended is not None:
        counts.cut_short = CutShort(reader.lines.number, "what comes after that, up to the summary")
    elif plain and counts.summary is not None and tuple(counts.totals) != counts.summary:
        whole = f"{counts.totals[0]}, the summary has {counts.summary[0]}"
        raise reader.lines.wrong(f"the functions' costs add up to {whole}")
    return counts


class _Reader:
    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self._counts = EventCounts()
        self._names: dict[tuple[str, str], str] = {}
        self._place: dict[str, str | None] = {"file": None, "ob": None, "fn": None, "cfn": None}
        self._positions = 1
        self._summed = False

    @property
    def summed(self) -> bool:
        """Whether a summary came after the costs: only cachegrind has it there."""
        return self._summed

    @property
    def numbered(self) -> bool:
        """Whether it has what only callgrind's files have: calls, or a summary before the costs."""
        return bool(self._counts.calls) or (self._counts.summary is not None and not self._summed)

    def read(self) -> EventCounts:
        for line in self.lines:
            if not line.strip() or line.startswith("#"):
                continue
            key, _, value = line.partition("=")
            if key in _PLACES or key in ("fn", "cfn"):
                self._name(key, value)
            elif key in ("jfi", "jfn", "job"):
                continue
            elif key in ("jump", "jcnd"):
                next(self.lines, None)  # a jump's own position follows, without costs
            elif key == "calls":
                self._call(value)
            elif _HEAD.match(line) and not line[0].isdigit():
                if self._header(line):
                    break
            else:
                self._costs(line)
        return self._counts

    def _header(self, line: str) -> bool:
        """Whether it was the last line of a file."""
        found = _HEAD.match(line)
        assert found is not None
        key, value = found[1], found[2].strip()
        if key == "events":
            self._counts.events = tuple(value.split())
        elif key == "cmd":
            self._counts.command = value
        elif key == "creator":
            self._counts.creator = value
        elif key == "positions":
            self._positions = len(value.split())
        elif key == "pid":
            self._counts.pid = number(value, self.lines)
        elif key in ("summary", "totals"):
            figures = tuple(number(one, self.lines) for one in value.split())
            figures += (0,) * (len(self._counts.events) - len(figures))
            self._counts.summary = figures
            self._summed = bool(self._counts.own)
            return self._summed and (key == "totals" or self._counts.creator == "cachegrind")
        return False

    def _name(self, key: str, value: str) -> None:
        kind = "fn" if key in ("fn", "cfn") else "ob" if key in ("ob", "cob") else "file"
        found = _NAME.fullmatch(value)
        assert found is not None
        name: str | None = found["text"] or None
        if found["number"]:
            if name:
                self._names[(kind, found["number"])] = name
            name = self._names.get((kind, found["number"]))
        if name is None and kind == "fn":
            raise self.lines.wrong(f"{key}= stands for no name", value)
        if key in ("fn", "cfn"):
            self._place[key] = name or ""
        elif key in ("fl", "ob"):
            self._place["file" if key == "fl" else "ob"] = None if name == "???" else name

    def _key(self) -> tuple[str, str | None, str | None]:
        function = self._place["fn"]
        if function is None:
            raise self.lines.wrong("costs before any fn=")
        return function, self._place["file"], self._place["ob"]

    def _call(self, value: str) -> None:
        callee = self._place["cfn"]
        if callee is None:
            raise self.lines.wrong("calls= without cfn=")
        cells = value.split()
        if not cells:
            raise self.lines.wrong("calls= without a number")
        line = next(self.lines, None)
        if line is None:
            return
        costs = self._figures(line)
        self._counts.calls[callee] = self._counts.calls.get(callee, 0) + number(cells[0], self.lines)
        _add(self._counts.inclusive, self._key(), costs)

    def _costs(self, line: str) -> None:
        _add(self._counts.own, self._key(), self._figures(line))

    def _figures(self, line: str) -> list[int]:
        cells = line.split()
        positions, costs = cells[: self._positions], cells[self._positions :]
        if not self._counts.events or len(costs) > len(self._counts.events) or not positions:
            raise self.lines.wrong("no line of costs", line)
        if not all(_POSITION.fullmatch(one) for one in positions):
            raise self.lines.wrong("no position before the costs", line)
        figures = [0 if one == "." else number(one, self.lines) for one in costs]
        return figures + [0] * (len(self._counts.events) - len(figures))


def _add(
    sums: dict[tuple[str, str | None, str | None], list[int]], key: tuple[str, str | None, str | None], more: list[int]
) -> None:
    known = sums.get(key)
    sums[key] = more if known is None else [a + b for a, b in zip(known, more, strict=True)]
