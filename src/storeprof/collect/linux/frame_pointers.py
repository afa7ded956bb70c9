"""Whether code keeps frame pointers, measured on the first instructions of its functions.

Stacks by frame pointers cost perf a microsecond, by a copy of the stack ("dwarf") some twenty and much of the disk; but
one library without frame pointers hides the callers of whatever it was called from, so all of them have to keep them.
Trying both kinds on the running program was rejected: what runs in its first second is not what runs later.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final, Literal

from storeprof.collect.linux.elf import load_segments, offset_of
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError

CallGraph = Literal["fp", "dwarf"]

ENOUGH: Final = 0.5  # of the functions: with frame pointers 0.56 to 0.88 set one up at once, without them 0 to 0.04
FUNCTIONS: Final = 400
FEWEST: Final = 20
PROLOGUE: Final = 32
BUDGET_S: Final = 2.0
# push %rbp … mov %rsp,%rbp: the compiler may put a few other instructions in between.
_FRAME: Final = re.compile(rb"\x55.{0,20}?\x48\x89\xe5", re.DOTALL)
_SMALL: Final = 32  # bytes; what calls nothing may do without a frame


def frame_pointer_share(binary: Path) -> float | None:
    """Part (0 to 1) of a binary's functions that set up a frame pointer; None when too little can be read."""
    if platform.machine() != "x86_64":
        return None
    segments = load_segments(binary)
    offsets = [offset_of(segments, address) for address in _functions(binary)]
    found = [offset for offset in offsets if offset is not None]
    if len(found) < FEWEST:
        return None
    step = max(1, len(found) // FUNCTIONS)
    try:
        with open(binary, "rb") as file:
            framed = [_sets_frame(_read(file, offset)) for offset in found[::step]]
    except OSError:
        return None
    return sum(framed) / len(framed)


def call_graph_for(binaries: Iterable[Path]) -> tuple[CallGraph, str]:
    """How to take native stacks of a program made of these binaries, and why."""
    known = list(binaries)
    if not known:
        return "dwarf", "the program's code is not known before it runs"
    for binary in known:
        share = frame_pointer_share(binary)
        if share is None:
            return "dwarf", f"frame pointers of {binary.name} can't be told"
        if share < ENOUGH:
            return "dwarf", f"{1 - share:.0%} of the functions in {binary.name} keep no frame pointer"
    return "fp", "the program and its libraries keep frame pointers"


def _functions(binary: Path) -> list[int]:
    """Addresses of functions that are not tiny."""
    for table in ([], ["-D"]):
        try:
            argv = ["nm", *table, "--defined-only", "--print-size", "-n", str(binary)]
            said = run_tool(argv, timeout_s=BUDGET_S).stdout.decode(errors="replace")
        except CollectorError:
            return []
        rows = (line.split() for line in said.splitlines())
        found = [int(row[0], 16) for row in rows if len(row) == 4 and row[2] in "tTwW" and int(row[1], 16) > _SMALL]
        if found:
            return found
    return []


def _read(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.read(PROLOGUE)


def _sets_frame(code: bytes) -> bool:
    return _FRAME.search(code) is not None
