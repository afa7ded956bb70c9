"""Stacks of a recording resolved to functions and places.

A *function* is (kind, name, file, first line); a *place* is where a look is charged: the youngest frame that is the
program's own, with the library or native function it had called, if any.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.recording.model import Recording


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the program, a library or the kernel."""

    kind: str
    name: str
    file: str | None
    line: int | None
    library: bool
    binary: str | None


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stack: a function (index) and the line it stood at."""

    function: int
    line: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stack is charged: `function` (index), the line there, the library function it called (or -1)."""

    function: int
    line: int | None
    callee: int


class Stacks:
    """All stacks of a recording; ids are those of the tables."""

    def __init__(self, recording: Recording) -> None:
        frames = recording.sql("SELECT * FROM frames ORDER BY frame_id")
        self.functions: list[Function] = []
        self._frame_of_id = self._read_frames(frames)
        rows = recording.sql("SELECT stack_id, coalesce(parent_id, -1) AS parent_id, frame_id FROM stacks")
        self._node = {
            int(stack): (int(parent), int(frame))
            for stack, parent, frame in zip(rows["stack_id"], rows["parent_id"], rows["frame_id"], strict=True)
        }
        self._frames: dict[int, tuple[Frame, ...]] = {-1: ()}
        self._places: dict[int, Place | None] = {}

    def _read_frames(self, rows: dict[str, np.ndarray[Any, Any]]) -> dict[int, Frame]:
        known: dict[tuple[Any, ...], int] = {}
        result: dict[int, Frame] = {}
        columns = (
            "frame_id",
            "kind",
            "function",
            "module",
            "file",
            "line",
            "first_line",
            "library",
            "binary",
        )
        for values in zip(*(np.ma.asarray(rows[name]).tolist() for name in columns), strict=True):
            frame_id, kind, function, module, file, line, first_line, library, binary = values
            name = f"{module}.{function}" if module else function
            key = (kind, name, file, first_line, binary)
            if key not in known:
                known[key] = len(self.functions)
                self.functions.append(Function(kind, name, file, first_line, bool(library), binary))
            result[frame_id] = Frame(known[key], line)
        return result

    def frames(self, stack: int) -> tuple[Frame, ...]:
        """Frames of a stack from the leaf to the root; empty for -1 (no stack)."""
        found = self._frames.get(stack)
        if found is not None:
            return found
        pending = []
        at = stack
        while at not in self._frames and at in self._node:
            pending.append(at)
            at = self._node[at][0]
        tail = self._frames.get(at, ())
        for child in reversed(pending):
            tail = (self._frame_of_id[self._node[child][1]], *tail)
            self._frames[child] = tail
        return tail

    def place(self, stack: int) -> Place | None:
        """Where a stack is charged; None without a stack."""
        if stack not in self._places:
            self._places[stack] = self._find_place(stack)
        return self._places[stack]

    def _find_place(self, stack: int) -> Place | None:
        frames = self.frames(stack)
        if not frames:
            return None
        callee = -1
        for frame in frames:
            if not self.functions[frame.function].library:
                return Place(frame.function, frame.line, callee)
            callee = frame.function
        return Place(frames[0].function, frames[0].line, -1)

    def own_frames(self, stack: int) -> tuple[Frame, ...]:
        """The frames of a stack that are the program's own, leaf first; all of them when none is."""
        frames = self.frames(stack)
        own = tuple(frame for frame in frames if not self.functions[frame.function].library)
        return own or frames

    def function_set(self, stack: int) -> frozenset[int]:
        """Functions on a stack."""
        return self._function_sets.setdefault(stack, frozenset(frame.function for frame in self.frames(stack)))

    @cached_property
    def _function_sets(self) -> dict[int, frozenset[int]]:
        return {}
