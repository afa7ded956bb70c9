"""gc-pressure: time in Python's cyclic garbage collector.

Collections are triggered by whatever allocates (in 3.11 in the allocation itself, since 3.12 at the next check of the
evaluation loop), so their place is the innermost function in which most of them happen; what makes them dear is how
many containers the heap holds. That function's own CPU time does not include them.
"""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import GC, GIL, Charges
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, no_looks
from storeprof.analysis.entries import MOSTLY, narrowest
from storeprof.analysis.finding import Finding, Where
from storeprof.analysis.gain import impact

Array = np.ndarray[Any, Any]

KIND = "gc-pressure"
SMALLEST_SHARE = 0.02


def find(context: Context) -> list[Finding]:
    """One finding: there is one collector."""
    mask = context.busy.category == GC
    share = context.share_of_busy(mask)
    if share.value < SMALLEST_SHARE:
        return []
    rows = context.busy.where(mask)
    where = _place(context, rows)
    asked = _asked_for(context, rows)
    return [
        Finding(
            kind=KIND,
            where=where,
            share=share,
            share_of="wall",
            wall_share=share,
            impact=impact(context, mask),
            lines=describe.lines(context.stacks, rows),
            call_paths=describe.call_paths(context.stacks, rows),
            per_operation=context.operations.cost_per_operation(context.seconds(mask), "collection"),
            effort="local" if asked > MOSTLY else "module",
            evidence=tuple(_evidence(context, mask, asked)),
            recommendation=_recommendation(where.function or "the program", asked),
        )
    ]


def _place(context: Context, rows: Charges) -> Where:
    operation = context.operations.commonest(rows)
    key = narrowest(context, rows)
    if key is None:
        return Where(None, operation=operation)
    function = context.stacks.functions[key]
    return Where(function.name, function.file, function.line, operation)


def _asked_for(context: Context, rows: Charges) -> float:
    """Share of the collections during which the program stood at a line that calls `collect`.

    `gc.collect` is native and leaves no frame of its own, so only the source line tells; 0 where it can't be read.
    """
    stacks, weights = describe.by_stack(rows)
    functions, lines, _ = context.stacks.places(stacks)
    files = [context.stacks.functions[key].file if key >= 0 else None for key in functions.tolist()]
    calls = [
        file is not None and "collect(" in linecache.getline(file, line)
        for file, line in zip(files, lines.tolist(), strict=True)
    ]
    return float(weights[np.array(calls, dtype=bool)].sum() / weights.sum())


def _evidence(context: Context, mask: Array, asked: float) -> list[str]:
    rows = context.busy.where(mask)
    seconds = context.seconds(mask)
    of_cpu = context.share_of_cpu(mask)
    by = "called by the program (gc.collect)" if asked > MOSTLY else "triggered by allocations"
    places = describe.functions(context.stacks, rows)
    named = ", ".join(f"{row.function} ({row.share:.0%})" for row in places[:3] if row.share >= 0.02)
    found = [
        f"{seconds:.2f} s of collecting garbage, {of_cpu.value:.1%} of the CPU time, {by}",
        f"collections ran in {named or 'code without a stack'}",
    ]
    longest = _longest_ms(context)
    if longest > 0:
        found.append(f"the longest collection seen took {longest:.0f} ms or more, and stops all Python threads")
    others = context.seconds((context.busy.category == GIL) & _holder_collects(context))
    if others > 0.1 * seconds:
        found.append(f"other threads waited {others:.2f} s for the GIL meanwhile")
    return found


def _longest_ms(context: Context) -> float:
    """The longest time between two looks at a thread between which it was seen doing nothing but collect."""
    looks = context.looks
    starts = np.flatnonzero(looks.gc & ~(np.roll(looks.gc, 1) & (np.roll(looks.thread, 1) == looks.thread)))
    ends = np.flatnonzero(looks.gc & ~(np.roll(looks.gc, -1) & (np.roll(looks.thread, -1) == looks.thread)))
    if len(starts) == 0 or len(starts) != len(ends):
        return 0.0
    return float((looks.t_ns[ends] - looks.t_ns[starts]).max()) / 1e6


def _holder_collects(context: Context) -> Array:
    """Whether a collection was seen within 2 ms of each row of busy wall."""
    collecting = np.sort(context.looks.t_ns[context.looks.gc])
    times = context.busy.t_ns
    if len(collecting) == 0:
        return np.zeros(len(times), dtype=bool)
    after = np.clip(np.searchsorted(collecting, times), 0, len(collecting) - 1)
    before = np.maximum(after - 1, 0)
    near: Array = np.minimum(np.abs(collecting[after] - times), np.abs(collecting[before] - times)) < 2_000_000
    return near


def _recommendation(function: str, asked: float) -> str:
    if asked > MOSTLY:
        return (
            f"take gc.collect() out of {function}: reference counts free what has no cycle; if it is needed, call it "
            "when the program is idle, after gc.freeze() once loading is done"
        )
    return (
        f"keep fewer container objects per record in {function} (bytes, tuples of numbers or __slots__ instead of "
        "dicts and lists, no cycles); first try gc.freeze() after loading and a larger gc.set_threshold()"
    )


def cover(context: Context) -> Covered:
    """Checked wherever the interpreter's collector state could be read; a program without Python has no collector."""
    rows = context.recording.sql("SELECT python, python_why FROM processes")
    if any(not np.ma.is_masked(value) and value for value in rows["python"]):
        return no_looks(context, KIND) or Covered(KIND, True, "observer: the interpreter's collector state")
    whys = [str(value) for value in rows["python_why"] if not np.ma.is_masked(value) and value]
    why = whys[0] if whys else "no Python in this program"
    return no_looks(context, KIND) or Covered(KIND, True, "observer", why)
