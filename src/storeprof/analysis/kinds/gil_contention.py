"""gil-contention: waiting for the interpreter's lock; its place is what the holder does meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import GIL
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, no_looks, unread_python
from storeprof.analysis.finding import Finding, Shared, Where
from storeprof.analysis.kinds import waits

USE_SUPPORTED = "run the program under Python 3.11 to 3.13"


def find(context: Context) -> list[Finding]:
    """One finding: the GIL is one lock."""
    mask = context.busy.category == GIL
    share = context.share_of_busy(mask)
    if share.value < waits.SMALLEST_SHARE:
        return []
    rows = context.busy.where(mask)
    holders = _holders(context, mask)
    waiting = describe.functions(context.stacks, rows)
    top = holders[0] if holders else (waiting[0] if waiting else None)
    where = (
        Where(top.function, top.file, top.line, context.operations.commonest(rows), "GIL")
        if top
        else Where(None, resource="GIL")
    )
    waiters = ", ".join(f"{row.function} ({row.share:.0%})" for row in waiting[:3])
    group = waits.Group(
        mask,
        where,
        holders,
        evidence=(f"{context.amount(mask)} of waiting for the GIL, by {waiters or 'threads without a stack'}",),
        recommendation=(
            f"{where.function or 'Python code'} holds the GIL while others wait: move it to another process, or to "
            "native code that releases the GIL"
        ),
        effort="design",
    )
    return [waits.wait_finding(context, "gil-contention", group)]


def _holders(context: Context, mask: np.ndarray[Any, Any]) -> tuple[Shared, ...]:
    """What each wait's holder was seen doing at its nearest look."""
    looks = context.looks
    rows = context.busy.where(mask)
    doing = np.full(len(rows), -1, dtype=np.int32)
    for holder in np.unique(rows.holder[rows.holder >= 0]).tolist():
        mine = np.flatnonzero(looks.stack[looks.of_thread(holder)] >= 0) + looks.of_thread(holder).start
        if len(mine) == 0:
            continue
        waiting = np.flatnonzero(rows.holder == holder)
        at = np.searchsorted(looks.t_ns[mine], rows.where(waiting).t_ns)
        doing[waiting] = looks.stack[mine[np.minimum(at, len(mine) - 1)]]
    known = doing >= 0
    ranked = describe.sums_by(context.stacks.place_functions(doing[known]), rows.weight_ns[known])
    found = [(context.stacks.functions[key], share) for key, share in ranked[: describe.MOST_LINES]]
    return tuple(Shared(function.name, function.file, function.line, share) for function, share in found)


def cover(context: Context) -> Covered:
    """Checked wherever a Python runtime could be read; a program without Python has no GIL."""
    rows = context.recording.sql("SELECT python, python_why FROM processes")
    if any(not np.ma.is_masked(value) and value for value in rows["python"]):
        return no_looks(context, "gil-contention") or Covered("gil-contention", True, "observer")
    unread = unread_python(context)
    if unread:
        return Covered(
            "gil-contention", False, None, f"the GIL was not found: {unread.reason}", unread.remedy or USE_SUPPORTED
        )
    whys = [str(value) for value in rows["python_why"] if not np.ma.is_masked(value) and value]
    why = whys[0] if whys else "no Python in this program"
    return no_looks(context, "gil-contention") or Covered("gil-contention", True, "observer", why)
