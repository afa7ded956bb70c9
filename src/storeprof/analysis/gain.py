"""What a fix would be worth at most: Amdahl on the path, bounded by the next resource.

Speedup is of the program's throughput if the cost disappeared altogether:
min(Amdahl, cores / remaining CPU demand, 1 / demand of the next resource); see CONTRACT's rule. Where the GIL or the
CPUs are saturated, waiting for them shrinks with the CPU time that is saved, so it counts as saved too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from storeprof.analysis.charges import GIL, LOCK, ON_CPU, RUN_QUEUE
from storeprof.analysis.context import Context
from storeprof.analysis.finding import Impact
from storeprof.analysis.intervals import Estimate

Array = np.ndarray[Any, Any]
LARGEST = 1000.0
MINOR = 0.25
ON_PATH = 0.5


def impact(context: Context, removed: Array) -> Impact:
    """Impact of removing the masked rows of `context.busy`, with the interval of their share carried through.

    The basis is latency where no thread is busy all the time: the load comes from outside then, and operations get
    quicker, not more.
    """
    limiting = context.limiting_threads[context.busy.thread]
    if not limiting.any():
        return replace(_on_the_path(context, removed), basis="latency")
    if context.seconds(removed & limiting) >= ON_PATH * context.seconds(removed):
        return _on_the_path(context, removed)
    return _beside_the_path(context, removed, limiting)


def _on_the_path(context: Context, removed: Array) -> Impact:
    concerned = _rows_concerned(context, removed)
    share = context.share_of_busy(removed & concerned)
    base = context.share_of_busy(concerned)
    induced = _induced_ratio(context, removed, concerned)
    bound = _resource_bound(context, removed)

    def speedup(value: float) -> float:
        saved = min(value / base.value * induced if base.value > 0 else 0.0, 0.999)
        return max(1.0, min(1.0 / (1.0 - saved), bound, LARGEST))

    return Impact(Estimate(speedup(share.value), speedup(share.low), speedup(share.high)))


def _beside_the_path(context: Context, removed: Array, limiting: Array) -> Impact:
    """A cost in threads that have slack: the busy ones gain what they wait for CPU and GIL because of it, no more."""
    rows = context.busy
    on_cpu = np.isin(rows.category, ON_CPU)
    contended = [GIL, RUN_QUEUE] if context.cpu_bound else [GIL]
    waits = context.share_of_busy(limiting & np.isin(rows.category, contended))
    path = context.share_of_busy(limiting)
    threads = max(len(np.unique(rows.thread[limiting])), 1)
    of_others = context.seconds(on_cpu & ~limiting) + context.seconds(on_cpu & limiting) * (threads - 1) / threads
    due = min(context.seconds(on_cpu & removed) / of_others, 1.0) if of_others > 0 else 0.0

    def speedup(value: float) -> float:
        return 1.0 / (1.0 - min(value / path.value * due, 0.999)) if path.value > 0 else 1.0

    return Impact(Estimate(speedup(waits.value), speedup(waits.low), speedup(waits.high)))


def smaller(one: Impact, other: Impact) -> Impact:
    """The lesser of two gains, bound by bound: what both have to allow."""
    a, b = one.speedup, other.speedup
    return replace(one, speedup=Estimate(min(a.value, b.value), min(a.low, b.low), min(a.high, b.high)))


def _rows_concerned(context: Context, removed: Array) -> Array:
    """Rows of the threads on whose path the cost lies: those that hold at least a hundredth of it.

    Threads that carry little of the program's busy time are not taken for what limits it: all rows then.
    """
    rows = context.busy
    per_thread = np.bincount(rows.thread[removed], weights=rows.weight_ns[removed], minlength=1)
    threads = np.flatnonzero(per_thread > 0.01 * per_thread.sum())
    concerned = np.isin(rows.thread, threads)
    everything = np.ones(len(rows.thread), dtype=bool)
    return concerned if context.seconds(concerned) >= MINOR * context.seconds(everything) else everything


def _induced_ratio(context: Context, removed: Array, concerned: Array) -> float:
    """How much other waiting goes with each second that is saved (at least 1: the second itself).

    With CPU time goes waiting for CPU and GIL. With a lock goes waiting for a CPU while CPUs are free: a thread that is
    woken by the lock's holder queues behind it.
    """
    rows = context.busy
    waiting_for_lock = context.seconds(removed & (rows.category == LOCK))
    if waiting_for_lock > 0.5 * context.seconds(removed) and context.cpus_left:
        queueing = context.seconds(concerned & (rows.category == RUN_QUEUE))
        return 1.0 + queueing / context.seconds(concerned & (rows.category == LOCK))
    on_cpu = np.isin(rows.category, ON_CPU)
    cpu_removed = context.seconds(removed & on_cpu)
    if cpu_removed <= 0 or cpu_removed < 0.5 * context.seconds(removed):
        return 1.0
    cpu = context.seconds(concerned & on_cpu)
    waiting = context.seconds(concerned & np.isin(rows.category, [RUN_QUEUE, GIL]))
    return 1.0 + waiting / cpu if cpu > 0 else 1.0


def _resource_bound(context: Context, removed: Array) -> float:
    """How far throughput could rise before the CPUs, or one process's GIL, are the limit."""
    rows = context.busy
    on_cpu = np.isin(rows.category, ON_CPU)
    remaining = context.seconds(on_cpu & ~removed)
    if remaining <= 0:
        return LARGEST
    wall = context.recording.duration_s
    bound = context.cores * wall / remaining
    under_gil = context.gil_limit_seconds(removed)  # each process has a GIL of its own
    if under_gil > 0:
        bound = min(bound, wall / under_gil)
    return max(1.0, bound)
