"""What a sampler's numbers stand for, learned from its rows: frames, stacks, resources, threads."""

from __future__ import annotations

import json
import linecache
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from storeprof.analysis.accounting.code_owner import owner_of
from storeprof.observe.classify import Wait, reason, resource_kind
from storeprof.observe.modules import is_library, module_name
from storeprof.recording.schema import NONE
from storeprof.session.python_frames import Code

MOST_SITUATIONS = 50_000
DEEPEST = 200
_RUNS = ord("R")
_NEAR_THE_LEAF = 12  # frames that can tell why a thread waits


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """A Python frame: function with its module, where it stands, and whether the code is the program's own.

    `bare`: the function as its file calls it; `first_line`: where it begins.
    """

    function: str
    file: str
    line: int
    first_line: int
    library: bool
    bare: str


class Situation(NamedTuple):
    """What decides why a thread waits: its state, system call and stack, as a look saw them."""

    state: int
    syscall: int
    arg1: int
    arg2: int
    flags: int
    resource: int
    stack: int


class Names:
    """Names of one sampler; rows that it can't make sense of are as if they were not there."""

    def __init__(self) -> None:
        self.threads: dict[int, dict[str, Any]] = {}
        self.resources: dict[int, tuple[str, str]] = {}
        self._codes: dict[int, Code] = {}
        self._frames: dict[int, LiveFrame] = {}
        self._stacks: dict[int, tuple[int, int]] = {}
        self._spelled: dict[int, tuple[LiveFrame, ...]] = {}
        self._reasons: dict[Situation, str] = {}

    def learn_frames(self, payload: bytes) -> None:
        """Lines of table `frames`."""
        for row in json_lines(payload):
            if "frame" not in row:
                self._codes[row["code"]] = Code.of(row)
            elif row["code"] in self._codes:
                code = self._codes[row["code"]]
                owner, module = owner_of(code.function), module_name(code.file)
                self._frames[row["frame"]] = LiveFrame(
                    f"{module}.{owner}" if module else owner,
                    code.file,
                    code.line(row["unit"]),
                    code.first_line,
                    is_library(code.file),
                    code.function,
                )

    def learn_stacks(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Rows (stack, parent, frame) of table `stacks`."""
        for stack, parent, frame in rows:
            self._stacks[stack] = (parent, frame)

    def learn_threads(self, payload: bytes) -> None:
        """Lines of table `threads`."""
        for row in json_lines(payload):
            self.threads.setdefault(row["thread"], {}).update(row)

    def learn_resources(self, payload: bytes) -> None:
        """Lines of table `resources`."""
        for row in json_lines(payload):
            self.resources[row["resource"]] = (resource_kind(row["name"]), row["name"])

    def frames(self, stack: int) -> tuple[LiveFrame, ...]:
        """Frames of a stack from the leaf on; empty without one."""
        if stack == NONE:
            return ()
        if stack not in self._spelled:
            found: list[LiveFrame] = []
            at = stack
            while at in self._stacks and len(found) < DEEPEST:
                at, frame = self._stacks[at]
                if frame in self._frames:
                    found.append(self._frames[frame])
            self._spelled[stack] = tuple(found)
        return self._spelled[stack]

    def place(self, stack: int) -> LiveFrame | None:
        """The youngest frame of the program's own, else the leaf; None without a stack."""
        frames = self.frames(stack)
        return next((frame for frame in frames if not frame.library), frames[0] if frames else None)

    def reason(self, seen: Situation) -> str:
        """Why a thread is where it was seen (docs/formats/recording.md)."""
        if seen.syscall == -2 or seen.state == _RUNS:
            return "running"
        if seen not in self._reasons:
            if len(self._reasons) > MOST_SITUATIONS:
                self._reasons.clear()
            spelled = self.frames(seen.stack)[:_NEAR_THE_LEAF]
            source = linecache.getline(spelled[0].file, spelled[0].line) if spelled and spelled[0].line else ""
            descriptor = self.resources[seen.resource][0] if seen.resource in self.resources else None
            frames = tuple((frame.bare, frame.file) for frame in spelled)
            kind = Wait(chr(seen.state), seen.syscall, seen.arg1, seen.arg2, seen.flags, descriptor, frames, source)
            self._reasons[seen] = reason(kind)
        return self._reasons[seen]


def json_lines(payload: bytes) -> list[dict[str, Any]]:
    """Lines of a JSON table of the journal."""
    return [json.loads(line) for line in payload.decode("utf-8", "replace").splitlines() if line]
