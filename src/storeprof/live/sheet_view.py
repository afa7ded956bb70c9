"""A table on the terminal that draws only the lines that have changed.

Textual's own table lays itself out again whenever a row comes or goes, and once a second that costs more than all else.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from storeprof.live.rows import Cell, Sheet
from storeprof.live.snapshot import Snapshot
from storeprof.report.fitting import end_of, harmless

MOST_ROWS = 200
_HEAD = Style(bold=True, underline=True)
_CURSOR = Style(reverse=True)
_PLAIN = Style()


class SheetView(Widget, can_focus=True):
    """A head line and rows; once the cursor was moved it stays with its row as rows come and go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-5)", show=False),
        Binding("pagedown", "move(5)", show=False),
        Binding("home", "move(-1000)", show=False),
        Binding("end", "move(1000)", show=False),
    ]

    def __init__(self, sheet: Sheet[Any]) -> None:
        super().__init__(id=sheet.name)
        self.sheet = sheet
        self._order = 0
        self._snapshot: Snapshot | None = None
        self._rows: list[tuple[str, tuple[Cell, ...]]] = []
        self._at = self._top = 0
        self._moved = False
        self._drawn: list[list[Segment]] = []

    @property
    def selected(self) -> str:
        """Key of the row under the cursor; empty without rows."""
        return self._rows[self._at][0] if self._rows else ""

    def show(self, snapshot: Snapshot) -> None:
        """Show the rows of a snapshot."""
        selected, self._snapshot = self.selected if self._moved else "", snapshot
        self._rows = self.sheet.rows(snapshot, self._order)[:MOST_ROWS]
        keys = [key for key, _ in self._rows]
        self._at = keys.index(selected) if selected in keys else 0
        self._redraw()

    def order_next(self) -> str:
        """Order by the next of the sheet's orders; returns its name."""
        self._order = (self._order + 1) % len(self.sheet.orders)
        if self._snapshot:
            self.show(self._snapshot)
        return self.sheet.orders[self._order][0]

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self._at = min(max(0, self._at + rows), max(0, len(self._rows) - 1))
        self._moved = self._at > 0
        self._redraw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._redraw()

    def on_focus(self) -> None:
        """Show the cursor."""
        self._redraw()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self._redraw()

    def render_line(self, y: int) -> Strip:
        """A line as it was last drawn."""
        if y < len(self._drawn):
            return Strip(self._drawn[y]).adjust_cell_length(self.size.width)
        return Strip.blank(self.size.width)

    def _redraw(self) -> None:
        """Compose all lines, and let the terminal have those that differ."""
        room = max(1, self.size.height - 1)
        self._top = max(min(self._top, self._at), self._at - room + 1, 0)
        visible = self._rows[self._top : self._top + room]
        widths = self._widths(visible)
        lines = [self._line(self.sheet.columns, widths, _HEAD)]
        for number, (_, cells) in enumerate(visible):
            at_cursor = self.has_focus and self._top + number == self._at
            lines.append(self._line(cells, widths, _CURSOR if at_cursor else _PLAIN))
        before, self._drawn = self._drawn, lines
        for y in range(max(len(before), len(lines))):
            if y >= len(before) or y >= len(lines) or before[y] != lines[y]:
                self.refresh(Region(0, y, self.size.width, 1))

    def _widths(self, rows: list[tuple[str, tuple[Cell, ...]]]) -> list[int]:
        """Width of each column; the flexible one gives way so that all fit."""
        columns = [self.sheet.columns, *(cells for _, cells in rows)]
        widths = [max(map(_length, column)) for column in zip(*columns, strict=True)]
        over = sum(widths) + 2 * (len(widths) - 1) - self.size.width
        for column in self.sheet.flexible:
            if over <= 0:
                break
            given = min(over, max(0, widths[column] - 12))
            widths[column] -= given
            over -= given
        return widths

    def _line(self, cells: tuple[Cell, ...], widths: list[int], style: Style) -> list[Segment]:
        segments: list[Segment] = []
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            if not isinstance(cell, str):
                segments += [Segment(text, Style.parse(colour) + style) for text, colour in cell]
                segments.append(Segment(" " * (width - _length(cell)), style))
            else:
                words = end_of(harmless(cell), width)
                aligned = words.rjust(width) if column in self.sheet.numbers else words.ljust(width)
                segments.append(Segment(aligned, style))
            segments.append(Segment("  ", style))
        return segments


def _length(cell: Cell) -> int:
    return len(cell) if isinstance(cell, str) else sum(len(text) for text, _ in cell)
