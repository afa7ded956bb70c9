r"""Valgrind's XML (protocol 4 and 5, `--xml=yes`): errors and leaks, with their stacks.

Each `<error>` has a kind, a text and one stack or several; those of memcheck's leak check (`Leak_DefinitelyLost`,
`Leak_IndirectlyLost`, `Leak_PossiblyLost`, `Leak_StillReachable`) also bytes and blocks. The bytes of a definite leak
include those of the blocks that are lost through it, which are listed as indirectly lost once more: the text has
"2,080 (208 direct, 1,872 indirect)", and the direct ones are what we take, so that a sum is the truth.
`<errorcounts>` at the end say how often each error happened.

The file of a program that was killed has no end; what was whole until then counts.
"""

from __future__ import annotations

import re
import xml.parsers.expat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import CutShort, Frame, Site, UnreadableLine
from storeprof.collect.xml_ends import ENDS_EARLY

LEAK_KINDS: Final = {
    "Leak_DefinitelyLost": "leak", "Leak_IndirectlyLost": "indirect-leak", "Leak_PossiblyLost": "possible-leak",
    "Leak_StillReachable": "reachable",
}  # fmt: skip
_DIRECT: Final = re.compile(r"\(([\d,]+) direct, [\d,]+ indirect\) bytes")


@dataclass(frozen=True, slots=True)
class ValgrindError:
    """An error that is no leak: how often it happened (None while not counted), its first stack, leaf first."""

    kind: str
    what: str
    frames: tuple[Frame, ...]
    count: int | None


@dataclass(slots=True)
class ValgrindReport:
    """What valgrind said; `leaks` have direct bytes only, so that they can be added up."""

    tool: str | None = None
    pid: int | None = None
    program: str | None = None
    leaks: list[Site] = field(default_factory=list)
    errors: list[ValgrindError] = field(default_factory=list)
    finished: bool = False
    cut_short: CutShort | None = None


def parse_valgrind_xml(source: Iterable[str]) -> ValgrindReport:
    """Read the XML; raises UnreadableLine with the line where it is none."""
    reader = _Reader()
    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = reader.entity
    reader.line_of = lambda: parser.CurrentLineNumber
    try:
        for piece in source:
            parser.Parse(piece, False)
        parser.Parse("", True)
    except xml.parsers.expat.ExpatError as error:
        ended = error.code in ENDS_EARLY
        if not ended or not reader.begun:
            raise UnreadableLine(
                error.lineno, f"no XML of valgrind ({xml.parsers.expat.ErrorString(error.code)})"
            ) from None
        reader.report.cut_short = CutShort(error.lineno, "what comes after that")
    if not reader.begun:
        raise UnreadableLine(1, "no XML of valgrind: it has no <valgrindoutput>")
    reader.finish()
    return reader.report


class _Reader:
    """Handlers of the XML parser: elements of an error are collected until it ends."""

    def __init__(self) -> None:
        self.report = ValgrindReport()
        self.begun = False
        self.line_of: Callable[[], int] = int
        self._path: list[str] = []
        self._text: list[str] = []
        self._error: dict[str, str] = {}
        self._stacks: list[list[Frame]] = []
        self._frame: dict[str, str] = {}
        self._uniques: list[tuple[str, ValgrindError]] = []
        self._pair: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def entity(self, *_: object) -> None:
        raise UnreadableLine(self.line_of(), "an entity declaration, which valgrind's XML does not have")

    def start(self, name: str, _: dict[str, str]) -> None:
        if not self._path and name != "valgrindoutput":
            raise UnreadableLine(self.line_of(), f"no XML of valgrind: its root is <{name}>")
        self.begun = True
        self._path.append(name)
        self._text = []
        if name == "error":
            self._error, self._stacks = {}, []
        elif name == "stack":
            self._stacks.append([])
        elif name == "frame":
            self._frame = {}
        elif name == "pair":
            self._pair = {}

    def text(self, data: str) -> None:
        self._text.append(data)

    def end(self, name: str) -> None:
        self._path.pop()
        parent = self._path[-1] if self._path else ""
        value = "".join(self._text).strip()
        self._text = []
        if parent == "frame":
            self._frame[name] = value
        elif parent in ("error", "xwhat") and name not in ("stack", "xwhat"):
            self._error.setdefault(name, value)
        elif name == "frame" and self._stacks:
            self._stacks[-1].append(self._made_frame())
        elif parent == "pair":
            self._pair[name] = value
        elif name == "pair" and parent == "errorcounts":
            self._counts[self._pair.get("unique", "")] = self._integer(self._pair.get("count", ""))
        elif name == "error":
            self._add_error()
        elif parent == "valgrindoutput" and name in ("tool", "pid"):
            if name == "tool":
                self.report.tool = value
            else:
                self.report.pid = self._integer(value)
        elif parent == "argv" and name == "exe":
            self.report.program = value
        elif parent == "status" and value == "FINISHED":
            self.report.finished = True

    def finish(self) -> None:
        for unique, error in self._uniques:
            self.report.errors.append(
                ValgrindError(error.kind, error.what, error.frames, self._counts.get(unique, error.count))
            )

    def _integer(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise UnreadableLine(self.line_of(), f"no whole number: {text[:40]!r}")
        return int(text)

    def _made_frame(self) -> Frame:
        found = self._frame
        file = found.get("file")
        if file and found.get("dir"):
            file = f"{found['dir']}/{file}"
        line = self._integer(found["line"]) if found.get("line") else None
        return Frame(found.get("fn") or found.get("ip") or "???", found.get("obj"), file, line)

    def _add_error(self) -> None:
        kind, what = self._error.get("kind", ""), self._error.get("text") or self._error.get("what", "")
        frames = tuple(self._stacks[0]) if self._stacks else ()
        if kind in LEAK_KINDS:
            if "leakedbytes" not in self._error or "leakedblocks" not in self._error:
                raise UnreadableLine(self.line_of(), "a leak without its bytes or blocks")
            direct = _DIRECT.search(what)
            size = self._integer(direct[1].replace(",", "") if direct else self._error["leakedbytes"])
            blocks = self._integer(self._error["leakedblocks"])
            self.report.leaks.append(Site(frames, size, blocks, LEAK_KINDS[kind]))
        else:
            self._uniques.append((self._error.get("unique", ""), ValgrindError(kind, what, frames, None)))
