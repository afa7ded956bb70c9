"""Stacks of a recording resolved to functions and places.

A *function* is (kind, name, file, first line); a *place* is where a look is charged: the youngest frame that is the
program's own, with the library or native function it had called, if any.

Stacks are a tree of frames (a stack is the number of its leaf), so what holds for a parent is handed down level by
level: a question about all stacks is answered at once, however many looks there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.analysis.accounting.code_owner import FirstLines, owner_of, without_template_arguments
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]
_COLUMNS = ("frame_id", "kind", "function", "module", "file", "line", "first_line", "library", "binary")


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
    """All stacks of a recording; ids are those of the tables, -1 is no stack.

    `fold_templates` makes one function of all instances of a C++ template.
    """

    def __init__(self, recording: Recording, fold_templates: bool = False) -> None:
        self._fold_templates = fold_templates
        self.functions: list[Function] = []
        self._frame_of_id = self._read_frames(recording.sql("SELECT * FROM frames ORDER BY frame_id"))
        rows = recording.sql("SELECT stack_id, coalesce(parent_id, -1) AS parent_id, frame_id FROM stacks")
        self._size = int(rows["stack_id"].max(initial=-1)) + 1
        # The last element is that of no stack: index -1 finds it.
        self._parent, self._function, self._line = (np.full(self._size + 1, -1, dtype=np.int32) for _ in range(3))
        frames = [self._frame_of_id.get(frame, Frame(-1, None)) for frame in rows["frame_id"].tolist()]
        self._parent[rows["stack_id"]] = np.where(rows["parent_id"] < self._size, rows["parent_id"], -1)
        self._function[rows["stack_id"]] = [frame.function for frame in frames]
        self._line[rows["stack_id"]] = [-1 if frame.line is None else frame.line for frame in frames]
        self._frames: dict[int, tuple[Frame, ...]] = {-1: ()}
        self._function_sets: dict[int, frozenset[int]] = {}
        self._having: dict[int, Array] = {}

    def _read_frames(self, rows: dict[str, Array]) -> dict[int, Frame]:
        known: dict[tuple[Any, ...], int] = {}
        result: dict[int, Frame] = {}
        table = [np.ma.asarray(rows[name]).tolist() for name in _COLUMNS]
        where = (table[_COLUMNS.index(name)] for name in ("file", "function", "first_line"))
        first_lines = FirstLines(zip(*where, strict=True))
        for values in zip(*table, strict=True):
            frame_id, kind, function, module, file, line, first_line, library, binary = values
            owner = owner_of(function) if kind == "python" else function
            if owner != function:
                function, first_line = owner, first_lines.of_owner(file, owner, first_line)
            if self._fold_templates and kind == "native":
                function = without_template_arguments(function)
            name = f"{module}.{function}" if module else function
            # Instances begin at lines that differ a little: at the template's, or at what was inlined first.
            key = (kind, name, file, None if kind == "native" and self._fold_templates else first_line, binary)
            if key not in known:
                known[key] = len(self.functions)
                self.functions.append(Function(kind, name, file, first_line, bool(library), binary))
            result[frame_id] = Frame(known[key], line)
        return result

    @cached_property
    def _levels(self) -> list[Array]:
        """Stacks by depth, roots first."""
        depth = np.full(self._size + 1, -1, dtype=np.int32)
        depth[self._function >= 0] = 0
        levels = [np.flatnonzero((depth == 0) & (depth[self._parent] < 0))]
        depth[levels[0]] = 1
        pending = np.flatnonzero(depth == 0)
        while len(levels[-1]):
            ready = depth[self._parent[pending]] == len(levels)
            levels.append(pending[ready])
            depth[levels[-1]] = len(levels)
            pending = pending[~ready]
        return levels[:-1]

    @cached_property
    def _of_kernel(self) -> Array:
        """Whether each function is the kernel's."""
        return np.array([function.kind == "kernel" for function in self.functions] + [False])

    def _youngest(self, wanted: Array) -> Array:
        """For each stack the youngest stack on it whose leaf is `wanted` (a mask over stacks); itself without any."""
        found = np.where(wanted, np.arange(self._size + 1), -1)
        for level in self._levels[1:]:
            inherits = level[~wanted[level]]
            found[inherits] = found[self._parent[inherits]]
        return np.where(found >= 0, found, np.arange(self._size + 1))

    @cached_property
    def _places(self) -> tuple[Array, Array, Array]:
        """Function, line and callee of the place of every stack; -1 for none."""
        own = np.array([not function.library for function in self.functions] + [False])[self._function]
        home = np.where(own, np.arange(self._size + 1), -1)  # the youngest stack that ends in a frame of the program's
        callee = np.full(self._size + 1, -1, dtype=np.int32)
        for level in self._levels[1:]:
            inherits = level[~own[level] & (home[self._parent[level]] >= 0)]
            above = self._parent[inherits]
            home[inherits] = home[above]
            callee[inherits] = np.where(own[above], self._function[inherits], callee[above])
        # All library code: the youngest frame outside the kernel stands for itself.
        at = np.where(home >= 0, home, self._youngest(~self._of_kernel[self._function]))
        return self._function[at], self._line[at], callee

    def place_functions(self, stack: Array) -> Array:
        """Function (index) that each stack is charged to; -1 without a stack."""
        return self._places[0].take(self._known(stack))

    def places(self, stack: Array) -> tuple[Array, Array, Array]:
        """Function, line there and callee of the place of each stack; -1 where there is none."""
        known = self._known(stack)
        function, line, callee = (column.take(known) for column in self._places)
        return function, line, callee

    def having(self, function: int, stack: Array) -> Array:
        """Whether a function is on each stack."""
        if function not in self._having:
            found = self._function == function
            found[-1] = False
            for level in self._levels[1:]:
                found[level] |= found[self._parent[level]]
            self._having[function] = found
        return self._having[function].take(self._known(stack))

    @cached_property
    def _roots(self) -> Array:
        found = self._function.copy()
        for level in self._levels[1:]:
            found[level] = found[self._parent[level]]
        return found

    def roots(self, stack: Array) -> Array:
        """Function (index) at the root of each stack; -1 without a stack."""
        return self._roots.take(self._known(stack))

    def _known(self, stack: Array) -> Array:
        """The same stacks, no stack for ids that the recording lost."""
        return np.where(stack < self._size, stack, -1)

    def frames(self, stack: int) -> tuple[Frame, ...]:
        """Frames of a stack from the leaf to the root; empty for -1 (no stack)."""
        found = self._frames.get(stack)
        if found is not None:
            return found
        pending = []
        at = stack
        while at not in self._frames and 0 <= at < self._size and self._function[at] >= 0:
            pending.append(at)
            at = int(self._parent[at])
        tail = self._frames.get(at, ())
        for child in reversed(pending):
            line = int(self._line[child])
            tail = (Frame(int(self._function[child]), None if line < 0 else line), *tail)
            self._frames[child] = tail
        return tail

    def place(self, stack: int) -> Place | None:
        """Where a stack is charged; None without a stack."""
        function, line, callee = (int(column[0]) for column in self.places(np.array([stack])))
        return Place(function, None if line < 0 else line, callee) if function >= 0 else None

    def own_frames(self, stack: int) -> tuple[Frame, ...]:
        """The frames of a stack that are the program's own, leaf first; all of them when none is."""
        frames = self.frames(stack)
        own = tuple(frame for frame in frames if not self.functions[frame.function].library)
        return own or frames

    def function_set(self, stack: int) -> frozenset[int]:
        """Functions on a stack."""
        if stack not in self._function_sets:
            self._function_sets[stack] = frozenset(frame.function for frame in self.frames(stack))
        return self._function_sets[stack]
