"""Entries and main loops of threads, which are on every stack and therefore say nothing; and what is left to say."""

from __future__ import annotations

from storeprof.analysis.accounting.charges import Charges
from storeprof.analysis.context import Context
from storeprof.analysis.describe import by_stack, sums_by
from storeprof.analysis.imported.recording import imported

LOOP_SPAN = 0.8
MOSTLY = 0.5
ENTRY_NAMES = frozenset({"main", "_start", "__libc_start_main", "start_thread", "__libc_start_call_main"})


def is_entry(context: Context, key: int, rows: Charges) -> bool:
    """Whether most of a function's time (its rows) is that of a thread's entry or main loop."""
    function = context.stacks.functions[key]
    if function.kind == "native" and function.name.split("(")[0] in ENTRY_NAMES:
        return True
    if function.name.endswith(".<module>"):
        return True
    if imported(context.recording) and _does_it_itself(context, key, rows):
        return False
    per_thread = sums_by(rows.thread, rows.weight_ns)
    return sum(share for thread, share in per_thread if _is_loop_of_thread(context, key, thread)) > MOSTLY


def _does_it_itself(context: Context, key: int, rows: Charges) -> bool:
    """Whether a function spends its time itself, not in what it calls: a merged profile has no order to go by."""
    there = context.stacks.having(key, context.busy.stack)
    return float(rows.weight_ns.sum()) > MOSTLY * float(context.busy.weight_ns[there].sum())


def _is_loop_of_thread(context: Context, key: int, thread: int) -> bool:
    """A loop is entered once and spans the thread's life; a hot function returns to its caller again and again."""
    history = context.history(thread)
    return history.span(key) >= LOOP_SPAN and history.is_loop(key)


def inclusive_weights(context: Context, rows: Charges) -> dict[int, float]:
    """Weight of the rows on whose stack each of the program's own functions is, by function index."""
    sums: dict[int, float] = {}
    for stack, weight in zip(*(column.tolist() for column in by_stack(rows)), strict=True):
        for key in {frame.function for frame in context.stacks.own_frames(stack)}:
            sums[key] = sums.get(key, 0.0) + weight
    return sums


def narrowest(context: Context, rows: Charges) -> int | None:
    """The innermost function in which, its callees included, most of the rows lie; the commonest place without one.

    A cost that many small functions trigger belongs to the one that calls them. None when only entries are left.
    """
    sums = inclusive_weights(context, rows)
    total = float(rows.weight_ns.sum())
    depth = _depths(context, rows)
    inner_first = sorted((key for key in sums if sums[key] >= MOSTLY * total), key=lambda key: -depth[key])
    largest_first = sorted(sums, key=lambda key: -sums[key])
    for key in [*inner_first, *largest_first]:
        if not is_entry(context, key, rows.where(context.stacks.having(key, rows.stack))):
            return key
    return None


def _depths(context: Context, rows: Charges) -> dict[int, int]:
    """How many of the program's own frames call each function, at most."""
    depth: dict[int, int] = {}
    for stack in by_stack(rows)[0].tolist():
        for above, frame in enumerate(reversed(context.stacks.own_frames(stack))):
            depth[frame.function] = max(depth.get(frame.function, 0), above)
    return depth
