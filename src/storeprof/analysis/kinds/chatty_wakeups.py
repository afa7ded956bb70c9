"""chatty-wakeups: threads hand each other work in pieces so small that waking and switching cost more than they do.

What counts is the CPU time in hand-off calls (perf's kernel frames, else counted switches times their price), and the
waits for the other side beyond what it really works meanwhile. Waits for the GIL, a mutex, the disk or a timer are
other kinds: a thread whose waits are mostly those is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import ON_CPU, Charges, concatenate
from storeprof.analysis.accounting.hand_offs import (
    LEAST,
    MOST,
    WAITS,
    Traffic,
    counted_work,
    hand_off_part,
    hand_off_traffic,
    sampled_work,
)
from storeprof.analysis.accounting.kernel_work import KernelWork, has_kernel_frames
from storeprof.analysis.accounting.parts import split_rows, widened
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, native_remedy, no_looks
from storeprof.analysis.entries import is_entry
from storeprof.analysis.finding import Finding, Where
from storeprof.analysis.gain import impact
from storeprof.analysis.throughput import throughput

Array = np.ndarray[Any, Any]

KIND = "chatty-wakeups"


def find(context: Context) -> list[Finding]:
    """One finding: hand-offs have two ends, and one cure."""
    traffic = hand_off_traffic(context)
    if not traffic.threads.any():
        return []
    measured = has_kernel_frames(context)
    work = sampled_work(context, traffic) if measured else counted_work(context, traffic)
    fraction = hand_off_part(context, traffic.threads, work.fraction)
    split, mask = split_rows(context, fraction)
    share, gain = split.share_of_busy(mask), impact(split, mask & _of_the_busiest(split))
    if not measured:
        share, gain = widened(share, gain, LEAST, MOST)
    if share.value < context.settings.hotspot_share:
        return []
    rows = _places(context, work, fraction)
    where = _where(context, rows)
    return [
        Finding(
            kind=KIND,
            where=where,
            share=share,
            share_of="wall",
            wall_share=share,
            impact=gain,
            lines=describe.lines(context.stacks, rows),
            call_paths=describe.call_paths(context.stacks, rows),
            per_operation=_per_operation(context, traffic, split.seconds(mask)),
            effort="module",
            evidence=tuple(_evidence(context, traffic, fraction, rows)),
            recommendation=(
                f"hand over many records per wake-up in {where.function or 'the threads'}: fill a batch while the "
                "other side works, and signal only when its queue goes from empty to non-empty"
            ),
        )
    ]


def _of_the_busiest(context: Context) -> Array:
    """Rows of threads without slack, or all: what the other end spends on hand-offs, it spends while it has time."""
    limiting = context.limiting_threads
    rows: Array = limiting[context.busy.thread] | ~limiting.any()
    return rows


def _places(context: Context, work: KernelWork, fraction: Array) -> Charges:
    waits = context.busy.where((fraction > 0) & np.isin(context.busy.category, WAITS))
    return concatenate([work.placed, waits])


def _where(context: Context, rows: Charges) -> Where:
    """The function that signals or waits most; a thread's loop only when there is nothing else."""
    function = context.place_functions(rows)
    sums = np.bincount(function[function >= 0], weights=rows.weight_ns[function >= 0])
    ranked = [key for key in np.argsort(-sums).tolist() if sums[key] > 0]
    operation = context.operations.commonest(rows)
    if not ranked:
        return Where(None, operation=operation)
    inner = [key for key in ranked[:4] if not is_entry(context, key, rows.where(function == key))]
    found = context.stacks.functions[(inner or ranked)[0]]
    return Where(found.name, found.file, found.line, operation)


def _evidence(context: Context, traffic: Traffic, fraction: Array, rows: Charges) -> list[str]:
    busy = context.busy
    on_cpu = np.isin(busy.category, ON_CPU)
    run = float(busy.weight_ns[on_cpu & traffic.threads[busy.thread]].sum())
    switches = float(traffic.switches[traffic.threads].sum())
    known = throughput(context)
    rate, source = known.per_s, known.source
    per_operation = f", {traffic.per_second / rate:.1f} per operation ({source})" if rate else ""
    cpu = float((busy.weight_ns * fraction)[on_cpu].sum()) / 1e9
    waiting = float((busy.weight_ns * fraction)[~on_cpu].sum()) / 1e9
    places = ", ".join(f"{row.function} ({row.share:.0%})" for row in describe.functions(context.stacks, rows)[:3])
    return [
        f"{traffic.per_second:.0f} context switches/s{per_operation}, {run / switches / 1e3:.0f} us of CPU between two",
        f"{cpu:.2f} s of CPU time in waking and switching, {waiting:.2f} s of waiting beyond the other side's work",
        f"hand-offs are in {places or 'code without a stack'}",
    ]


def _per_operation(context: Context, traffic: Traffic, seconds: float) -> dict[str, Any] | None:
    rate = throughput(context).per_s
    if not rate:
        return None
    count = traffic.per_second / rate
    each = seconds / (rate * context.recording.duration_s)
    return {"count": round(count, 2), "unit": "context switch", "seconds": float(f"{each:.4g}")}


def cover(context: Context) -> Covered:
    """Switches are the kernel's counts; the time they take is sampled, or counted times a price."""
    if has_kernel_frames(context):
        return no_looks(context, KIND) or Covered(KIND, True, "observer: context switches, perf: kernel frames")
    why = "no kernel frames: counted switches times 2 to 5 us, a wide interval"
    return no_looks(context, KIND) or Covered(KIND, True, "observer: context switches", why, native_remedy(context))
