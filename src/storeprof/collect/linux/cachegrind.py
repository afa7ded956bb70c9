r"""The files of cachegrind and callgrind: events (instructions, cache misses, branches) by function.

Grammar (cachegrind's is a part of callgrind's, which numbers names and repeats the number only):

    file    = part { part }                         (callgrind's --combine-dumps and --separate-threads make several)
    part    = { "desc:" … | "cmd:" … | "version:" … | … } "events:" name { name } { body }
              [ ("summary:" | "totals:") n { n } ]
    body    = ("fl" | "fi" | "fe" | "ob" | "cfi" | "cfl" | "cob") "=" name | "fn=" name | "cfn=" name
            | "calls=" n position costs-line | position { position } cost { cost }
    name    = [ "(" number ")" ] [ text ]
    position = n | "+" n | "-" n | "*" | "0x" hex

The line after `calls=` is what the call cost, inclusive: it counts for the caller's total and for nobody's self cost. A
costs line may have fewer costs than there are events; the rest is zero. The sum of all self costs is cachegrind's
summary and callgrind's totals: a file of theirs without was cut short, one that disagrees is damaged. Others that write
callgrind's format (xdebug, converters of Python's profiles) need not have any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Lines, number

_NAME: Final = re.compile(r"(?:\((?P<number>\d+)\)\s*)?(?P<text>.*)")
_HEAD: Final = re.compile(r"([a-zA-Z][\w ]*?):\s?(.*)")
# Levels of a recursion (--separate-recs) have names of their own: f, f'2, f'3.
_RECURSION: Final = re.compile(r"'\d+$")
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
    ends_in_sums = counts.creator.startswith("callgrind") if reader.calls_too else True
    if (ends_in_sums and not reader.summed) or reader.lines.unended is not None:
        counts.cut_short = CutShort(reader.lines.number, "what comes after that, up to the summary")
    return counts


class _Reader:
    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self._counts = EventCounts()
        self._names: dict[tuple[str, str], str] = {}
        self._place: dict[str, str | None] = {"file": None, "ob": None, "fn": None, "cfn": None}
        self._positions = 1
        self._part: list[int] = []
        self.summed = False
        self.calls_too = False

    def read(self) -> EventCounts:
        for line in self.lines:
            if not line.strip() or line.startswith("#"):
                self.calls_too |= line.startswith("# callgrind format")
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
            elif (head := _HEAD.match(line)) and not line[0].isdigit():
                self._header(head[1], head[2].strip())
                if self.summed and not self.calls_too:
                    break  # the end of a file of cachegrind's
            else:
                self._costs(line)
        if self.calls_too and self._counts.creator == "cachegrind":
            self._counts.creator = "unknown"
        return self._counts

    def _header(self, key: str, value: str) -> None:
        if key == "events":
            if self._counts.events not in ((), tuple(value.split())):
                raise self.lines.wrong("parts with other events than the first")
            self._counts.events = tuple(value.split())
            self._part = [0] * len(self._counts.events)
        elif key == "cmd":
            self._counts.command = value
        elif key == "creator":
            self._counts.creator = value
        elif key in ("positions", "version", "part"):
            self.calls_too = True
            self.summed = False
            if key == "positions":
                self._positions = len(value.split())
        elif key == "pid":
            self._counts.pid = number(value, self.lines)
        elif key in ("summary", "totals"):
            figures = tuple(number(one, self.lines) for one in value.split())
            figures += (0,) * (len(self._counts.events) - len(figures))
            if key == "summary" and (self.calls_too or not self._counts.own):
                self.calls_too = True  # callgrind's stands before the costs, and has what other threads did in it
                return
            self._counts.summary = figures
            self.summed = True
            if tuple(self._part) != figures:
                raise self.lines.wrong(f"the functions' costs add up to {self._part}, the {key} say {list(figures)}")
            self._part = [0] * len(self._counts.events)

    def _name(self, key: str, value: str) -> None:
        kind = "fn" if key in ("fn", "cfn") else "ob" if key in ("ob", "cob") else "file"
        found = _NAME.fullmatch(value)
        assert found is not None
        name: str | None = found["text"] or None
        if name and kind == "fn":
            name = _RECURSION.sub("", name)
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
        self.calls_too = True
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
        figures = self._figures(line)
        self._part = [a + b for a, b in zip(self._part, figures, strict=True)]
        _add(self._counts.own, self._key(), figures)

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
