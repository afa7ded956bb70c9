"""cpu-hotspot: the function whose own code burns the CPU time.

Library and native code counts for the function of the program that called it, and is named with it. The program's
main loop and thread entries are no finding: whoever drives the engine is on every stack. What they call of a library
by themselves is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import CPU
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import (
    Covered,
    cut_stacks,
    native_reason,
    native_remedy,
    no_looks,
    placed_share,
    unread_python,
)
from storeprof.analysis.entries import is_entry
from storeprof.analysis.finding import BOTTLENECK, HOTSPOT, Finding, Where
from storeprof.analysis.gain import impact
from storeprof.analysis.loop_calls import calls_of_loop

Array = np.ndarray[Any, Any]

SMALLEST_SHARE = 0.02
MOST = 8


def find(context: Context) -> list[Finding]:
    """Functions by self time, from 2 % of CPU time on, and what main loops call of libraries."""
    return [*(hotspot(context, key, mask) for key, mask in hot_functions(context)), *_calls_of_loops(context)]


def hot_functions(context: Context) -> list[tuple[int, Array]]:
    """Functions (index) by self time, from 2 % of CPU time on, each with its rows of `context.busy` as a mask."""
    return [(key, mask) for key, mask, entry in _ranked(context) if not entry][:MOST]


def _ranked(context: Context) -> list[tuple[int, Array, bool]]:
    """The largest functions by self time, their rows, and whether each is an entry or main loop."""
    on_cpu = context.busy.category == CPU
    ranked = describe.sums_by(context.function[on_cpu], context.busy.weight_ns[on_cpu])
    of_cpu = context.seconds(on_cpu) / max(context.cpu_seconds, 1e-9)  # the rest is garbage collection's
    large = [key for key, share in ranked[: MOST * 2] if key >= 0 and share * of_cpu >= SMALLEST_SHARE]
    masks = [on_cpu & (context.function == key) for key in large]
    entries = [is_entry(context, key, context.busy.where(mask)) for key, mask in zip(large, masks, strict=True)]
    return list(zip(large, masks, entries, strict=True))


def _calls_of_loops(context: Context) -> list[Finding]:
    least = context.settings.hotspot_share * context.cpu_seconds * 1e9
    return [
        hotspot(context, key, mask, name)
        for key, rows, entry in _ranked(context)
        if entry and context.stacks.functions[key].kind == "python" and context.busy.weight_ns[rows].sum() >= least
        for name, mask in calls_of_loop(context, key, least)
    ]


def hotspot(context: Context, key: int, mask: Array, callee: str | None = None) -> Finding:
    """The finding of one function; `callee`: of what it calls of a library, its rows alone."""
    function = context.stacks.functions[key]
    rows = context.busy.where(mask)
    share = context.share_of_cpu(mask)
    native = context.native.callees_of(key) if callee is None else []
    callee = (
        callee
        or describe.top_callee(context.stacks, rows)
        or (native[0][0] if native and native[0][1] >= 0.5 else None)
    )
    name = f"{function.name} > {callee}" if callee else function.name
    own = function.name if not callee else f"{function.name}, nearly all of it in {callee},"
    evidence = [f"{own} took {share.value:.1%} of the CPU time ({context.amount(mask)})"]
    evidence += [f"{weight:.0%} of that in native {symbol}" for symbol, weight in native[:3] if weight >= 0.05]
    return Finding(
        kind="cpu-hotspot",
        where=Where(name, function.file, function.line, context.operations.commonest(rows)),
        share=share,
        share_of="cpu",
        wall_share=context.share_of_busy(mask),
        impact=impact(context, mask),
        lines=describe.lines(context.stacks, rows),
        call_paths=describe.call_paths(context.stacks, rows),
        at_most=HOTSPOT if function.library else BOTTLENECK,  # whose call it was is not known
        effort="local",
        evidence=tuple(evidence),
        recommendation=(
            f"make {callee} cheaper or call it less often from {function.name}"
            if callee
            else f"make {function.name} cheaper or call it less often; its dearest lines are listed"
        ),
    )


def cover(context: Context) -> Covered:
    """Checked when nine tenths of the CPU time have a place."""
    placed = placed_share(context, CPU)
    unread = unread_python(context)
    sampled = "py-spy" if unread and unread.spied else "perf"
    by = sampled if context.native.native_threads else "observer: Python stacks"
    if unread and not unread.spied:
        words = f"functions have no names: {unread.reason}"
        return Covered("cpu-hotspot", len(context.native.cpu_t) > 0, by, words, unread.remedy)
    missing = native_reason(context)
    if placed is None or placed >= 0.9:
        if missing and not context.native.native_threads:
            missing = f"native functions are not told apart within their Python callers: {missing}"
            remedy = native_remedy(context)
        else:
            missing, remedy = cut_stacks(context) or (None, None)
        return no_looks(context, "cpu-hotspot") or Covered("cpu-hotspot", True, by, missing, remedy)
    words = f"{1 - placed:.0%} of CPU time has no place: {missing or 'threads ended before anyone looked at them'}"
    return Covered("cpu-hotspot", False, None, words, native_remedy(context))
