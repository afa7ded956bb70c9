r"""`xctrace`: Instruments from the command line, and the XML that `xctrace export` makes of a trace.

    <trace-query-result><node xpath='…'> [ <schema name="…"> { <col><mnemonic>…</mnemonic>… } </schema> ]
                                         { <row>…</row> }

A row of a table with a schema has one element a column, in the schema's order; `<sentinel/>` is no value. An element
with an `id` stands in full where it comes first and as `ref` from then on, over the whole document. A row of a detail
(allocations, leaks, regions) has its values as attributes. Schemas differ from version to version: columns are found by
their names. `xctrace export --toc` is another document, which says what was recorded.
"""

from __future__ import annotations

import re
import xml.parsers.expat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.macos.tool import mac_tool
from storeprof.collect.tool_output import CutShort, Frame, UnreadableLine
from storeprof.collect.xml_ends import ENDS_EARLY

_CONTAINERS: Final = frozenset({"node", "trace-query-result"})
TEMPLATES: Final = ("Time Profiler", "Allocations", "Leaks", "CPU Counters")
MOST_DEEP: Final = 64


@dataclass(frozen=True, slots=True)
class XctraceOptions:
    """A recording of a running process with one of Instruments' templates, into a new .trace."""

    pid: int
    output: Path
    template: str = "Time Profiler"
    seconds: int = 10


@dataclass(slots=True)
class Element:
    """An element with its children; references are resolved."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, tag: str) -> Element | None:
        """The first descendant of that tag, or itself."""
        if self.tag == tag:
            return self
        for child in self.children:
            found = child.find(tag)
            if found is not None:
                return found
        return None

    @property
    def shown(self) -> str:
        """As Instruments shows it."""
        return self.attributes.get("fmt") or self.text.strip()

    def integer(self) -> int | None:
        """Its value as a whole number; None for what is none."""
        text = self.text.strip()
        return int(text) if re.fullmatch(r"-?\d{1,18}", text) else None


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One row: its table (schema, or `detail`), cells by column, attributes, and the line it ends on."""

    schema: str
    cells: dict[str, Element]
    attributes: dict[str, str]
    element: Element
    line: int


@dataclass(slots=True)
class TraceExport:
    """What is known of the document once all rows were read; `contents`: the root of a table of contents."""

    schemas: dict[str, int] = field(default_factory=dict)
    contents: Element | None = None
    cut_short: CutShort | None = None


class Xctrace:
    """The collector `xctrace`: Xcode, and developer mode for processes that are not debuggable."""

    name = "xctrace"

    def available(self, context: Context) -> Availability:
        """Whether this is a Mac with Xcode."""
        return mac_tool(
            "xctrace", needs_root=False, hint="attaching asks for developer mode: sudo DevToolsSecurity -enable"
        )

    def command(self, options: XctraceOptions) -> list[str]:
        """Build `xctrace record`; CPU Counters needs a template saved in Instruments with its counters chosen."""
        argv = ["xctrace", "record", "--template", options.template, "--attach", str(options.pid)]
        return [*argv, "--time-limit", f"{options.seconds}s", "--output", str(options.output), "--no-prompt"]

    def export_command(self, trace: Path, schema: str = "time-profile") -> list[str]:
        """Build `xctrace export` of one table of the first run."""
        return [
            "xctrace",
            "export",
            "--input",
            str(trace),
            "--xpath",
            f'/trace-toc/run[1]/data/table[@schema="{schema}"]',
        ]

    def open_command(self, trace: Path) -> list[str]:
        """Build what opens a trace in Instruments."""
        return ["open", "-a", "Instruments", str(trace)]

    def parse(self, output: Iterable[str]) -> list[TraceRow]:
        """Read all rows; raises UnreadableLine with the line where it is no export."""
        return list(read_xctrace(output, TraceExport()))


def read_xctrace(source: Iterable[str], export: TraceExport) -> Iterator[TraceRow]:
    """Yield the rows of an export; raises UnreadableLine where it is no such XML. `export` is filled meanwhile."""
    reader = _Reader(export)
    parser = xml.parsers.expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = reader.entity
    reader.parser = parser
    try:
        for piece in source:
            # Instruments itself writes an attribute `resident-%`, which no XML parser takes.
            parser.Parse(piece.replace('-%="', '-percent="'), False)
            yield from reader.taken()
        parser.Parse("", True)
    except xml.parsers.expat.ExpatError as error:
        yield from reader.taken()
        if error.code not in ENDS_EARLY or not reader.begun:
            message = xml.parsers.expat.ErrorString(error.code)
            raise UnreadableLine(error.lineno, f"no XML of xctrace export ({message})") from None
        export.cut_short = CutShort(error.lineno, "the row that it ends in, and what comes after")
    yield from reader.taken()
    if not reader.begun:
        raise UnreadableLine(1, "no XML of xctrace export")


class _Reader:
    """Handlers of the XML parser; rows are taken as they are complete."""

    def __init__(self, export: TraceExport) -> None:
        self._export = export
        self.begun = False
        self.parser: Any = None
        self._path: list[Element] = []
        self._known: dict[str, Element] = {}
        self._columns: list[str] = []
        self._schema = ""
        self._rows: list[TraceRow] = []

    def taken(self) -> list[TraceRow]:
        rows, self._rows = self._rows, []
        return rows

    def entity(self, *_: object) -> None:
        raise UnreadableLine(self.parser.CurrentLineNumber, "an entity declaration, which xctrace's XML does not have")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        if not self._path and tag not in ("trace-query-result", "trace-toc"):
            raise UnreadableLine(line, f"no XML of xctrace: its root is <{tag}>")
        if len(self._path) > MOST_DEEP:
            raise UnreadableLine(line, f"elements more than {MOST_DEEP} deep")
        self.begun = True
        if "ref" in attributes:
            found = self._known.get(attributes["ref"])
            if found is None or found.tag != tag:
                raise UnreadableLine(line, f"<{tag} ref={attributes['ref']!r}> refers to nothing before it")
            element = found
        else:
            element = Element(tag, attributes)
            if "id" in attributes:
                self._known[attributes["id"]] = element
        if tag == "schema":
            self._schema, self._columns = attributes.get("name", ""), []
        elif tag == "node":
            self._schema, self._columns = "", []
        self._path.append(element)

    def text(self, data: str) -> None:
        if self._path and self._path[-1].tag not in _CONTAINERS and "ref" not in self._path[-1].attributes:
            self._path[-1].text += data

    def end(self, tag: str) -> None:
        element = self._path.pop()
        parent = self._path[-1] if self._path else None
        if tag == "mnemonic":
            self._columns.append(element.text.strip())
        elif tag == "row":
            self._row(element)
        elif tag == "trace-toc":
            self._export.contents = element
        elif parent is not None and parent.tag not in _CONTAINERS:
            parent.children.append(element)

    def _row(self, row: Element) -> None:
        schema = self._schema or "detail"
        line = self.parser.CurrentLineNumber
        if self._columns and len(row.children) > len(self._columns):
            raise UnreadableLine(
                line, f"a row of {len(row.children)} values in a table of {len(self._columns)} columns"
            )
        cells = {name: cell for name, cell in zip(self._columns, row.children, strict=False) if cell.tag != "sentinel"}
        self._export.schemas[schema] = self._export.schemas.get(schema, 0) + 1
        self._rows.append(TraceRow(schema, cells, row.attributes, row, line))


def backtrace_frames(cell: Element | None) -> tuple[Frame, ...]:
    """Frames of a backtrace, leaf first; those of addresses only (`kperf-bt`) have these as names."""
    if cell is None:
        return ()
    found = cell.find("backtrace")
    if found is not None:
        return tuple(_frame(one) for one in found.children if one.tag == "frame")
    addresses = cell.find("text-addresses")
    if addresses is None:
        return ()
    first = cell.find("text-address")
    values = ([first.integer()] if first is not None else []) + [
        int(one) for one in addresses.text.split() if re.fullmatch(r"\d{1,20}", one)
    ]
    return tuple(Frame(f"0x{value:x}") for value in values if value is not None)


def _frame(element: Element) -> Frame:
    binary = element.find("binary")
    image = (binary.attributes.get("path") or binary.attributes.get("name")) if binary is not None else None
    source = element.find("source")
    file = line = None
    if source is not None:
        path = source.find("path")
        file = path.text.strip() or None if path is not None else None
        text = source.attributes.get("line", "")
        line = int(text) if re.fullmatch(r"\d{1,9}", text) else None
    return Frame(element.attributes.get("name") or element.attributes.get("addr") or "???", image, file, line)
