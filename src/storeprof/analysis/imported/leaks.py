"""memory-leak from what a leak detector listed: blocks that nothing points to, by the function that allocated them.

A detector proves that memory is lost; whether it goes on being lost one report can't say. So the size decides, as a
part of the heap or footprint where one is stated (bottleneck and hotspot have the shares that time has), and a report
without such a size is a notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.context import Context
from storeprof.analysis.finding import BOTTLENECK, HOTSPOT, NOTHING, NOTICE, CallPath, Finding, Impact, Where
from storeprof.analysis.intervals import Estimate

SMALLEST_BYTES = 2e6
MOST = 8
DEEPEST_PATH = 16
_ALLOCATORS = ("malloc", "calloc", "realloc", "operator new", "posix_memalign", "valloc", "_Znwm", "_Znam", "strdup")


@dataclass(frozen=True)
class _Lost:
    """What one process lost in one function (-1: no stack)."""

    process: int
    function: int
    bytes: int
    count: int
    stack: int


def leaks_of_files(context: Context) -> list[Finding]:
    """A finding for each function whose blocks are lost, the largest first."""
    rows = context.recording.sql(
        "SELECT proc_id, coalesce(stack_id, -1) AS stack, coalesce(sum(bytes), 0) AS bytes, "
        "coalesce(sum(count), 0) AS n FROM allocation_sites WHERE kind IN ('leak', 'indirect-leak') GROUP BY ALL"
    )
    sums: dict[tuple[int, int], list[int]] = {}
    columns = (np.asarray(rows[name]).tolist() for name in ("proc_id", "stack", "bytes", "n"))
    for process, stack, size, count in zip(*columns, strict=True):
        both = sums.setdefault((process, _allocating(context, stack)), [0, 0, -1, -1])
        both[0] += int(size)
        both[1] += int(count)
        if size > both[3]:
            both[2:] = [stack, int(size)]
    lost = [_Lost(process, function, both[0], both[1], both[2]) for (process, function), both in sums.items()]
    whole = _whole_bytes(context)
    ranked = sorted(lost, key=lambda one: -one.bytes)
    return [_finding(context, one, whole.get(one.process)) for one in ranked[:MOST]]


def _allocating(context: Context, stack: int) -> int:
    """The function charged with a leak's stack: the program's own that asked for the memory."""
    if stack < 0:
        return -1
    functions = context.stacks.functions
    for frame in context.stacks.own_frames(stack):
        if not functions[frame.function].name.startswith(_ALLOCATORS):
            return frame.function
    return int(context.stacks.place_functions(np.array([stack]))[0])


def _whole_bytes(context: Context) -> dict[int, int]:
    """Bytes in use of each process: its heap, else its footprint."""
    found: dict[int, int] = {}
    for kinds in (("footprint", "resident"), ("heap", "heap_peak")):
        rows = context.recording.sql(
            "SELECT proc_id, max(bytes) AS most FROM memory WHERE kind IN (?, ?) GROUP BY proc_id", list(kinds)
        )
        found |= dict(zip(rows["proc_id"].tolist(), rows["most"].tolist(), strict=True))
    return found


def _finding(context: Context, one: _Lost, whole: int | None) -> Finding:
    part = one.bytes / whole if whole else None
    settings = context.settings
    matters = part if part is not None and one.bytes >= SMALLEST_BYTES else 0.0
    severity = NOTICE
    if matters >= settings.bottleneck_share:
        severity = BOTTLENECK
    elif matters >= settings.hotspot_share:
        severity = HOTSPOT
    function = context.stacks.functions[one.function] if one.function >= 0 else None
    of_heap = f" ({part:.1%} of what is allocated)" if part is not None else ""
    place = f", allocated in {function.name}" if function else ""
    advice = (
        f"find who loses what {function.name} allocates, and free it there"
        if function
        else "start the program with MallocStackLogging=1 (or under valgrind), so that leaks have stacks"
    )
    return Finding(
        kind="memory-leak",
        where=Where(function.name, function.file, function.line) if function else Where(None),
        share=None,
        share_of="wall",
        wall_share=NOTHING,
        impact=Impact(Estimate(1.0, 1.0, 1.0), "headroom", "lost"),
        needs_gain=False,
        judged=severity,
        call_paths=_paths(context, one.stack),
        effort="local" if function else "module",
        evidence=(f"{one.bytes:,} bytes in {one.count:,} blocks are lost{of_heap}{place}",),
        recommendation=advice,
        verify="record the same report again after the change",
    )


def _paths(context: Context, stack: int) -> tuple[CallPath, ...]:
    if stack < 0:
        return ()
    functions = context.stacks.functions
    frames: list[Any] = list(reversed(context.stacks.own_frames(stack)))[-DEEPEST_PATH:]
    return (CallPath(tuple((functions[f.function].name, functions[f.function].file, f.line) for f in frames), 1.0),)
