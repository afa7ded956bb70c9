"""What a fix would be worth at most: Amdahl on the path, bounded by the next resource.

Speedup is of the program's throughput if the cost disappeared altogether:
min(Amdahl, cores / remaining CPU demand, 1 / demand of the next resource); see CONTRACT's rule. Where the GIL or the
CPUs are saturated, waiting for them shrinks with the CPU time that is saved, so it counts as saved too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import DEPENDENCY, GIL, LOCK, NETWORK, ON_CPU, RUN_QUEUE, positions
from storeprof.analysis.context import Context
from storeprof.analysis.finding import Impact
from storeprof.analysis.intervals import Estimate

Array = np.ndarray[Any, Any]
LARGEST = 1000.0
MINOR = 0.25
ON_PATH = 0.5


def impact(context: Context, removed: Array, freed: Array | None = None) -> Impact:
    """Impact of removing the masked rows of `context.busy`, with the interval of their share carried through.

    `freed`: rows of other threads that go with them, as the work does that somebody waits for: what they took of the
    CPUs is free for the rest.

    The basis is latency where no thread is busy all the time: the load comes from outside then, and operations get
    quicker, not more.
    """
    rows = positions(removed)
    taken = context.seconds_by_thread(rows)
    gone = taken if freed is None else taken + context.seconds_by_thread(positions(freed))
    limiting = context.limiting_threads
    if not limiting.any():
        return replace(_on_the_path(context, rows, taken, gone), basis="latency")
    if taken[limiting].sum() >= ON_PATH * taken.sum():
        return _on_the_path(context, rows, taken, gone)
    return _beside_the_path(context, taken, limiting)


def _on_the_path(context: Context, rows: Array, taken: Array, gone: Array) -> Impact:
    concerned = _threads_concerned(context, taken)
    on_path = rows[concerned[context.busy.thread[rows]]]
    share = context.blocks.share(context.block_sums(on_path), context.blocks_of_threads(concerned))
    induced = _induced_ratio(context, taken, concerned)
    bound = _resource_bound(context, gone)

    def speedup(value: float) -> float:
        saved = min(value * induced, 0.999)
        return max(1.0, min(1.0 / (1.0 - saved), bound, LARGEST))

    return Impact(Estimate(speedup(share.value), speedup(share.low), speedup(share.high)))


def _beside_the_path(context: Context, taken: Array, limiting: Array) -> Impact:
    """A cost in threads that have slack: the busy ones gain what they wait for CPU and GIL because of it, no more."""
    path, threads = context.by_thread[limiting].sum(axis=0), max(int(limiting.sum()), 1)
    waits = path[GIL] + (path[RUN_QUEUE] if context.cpu_bound else 0.0)
    others_cpu = context.cpu_seconds - _on_cpu(path) / threads  # each thread waits for all but itself
    due = min(_on_cpu(taken.sum(axis=0)) / others_cpu, 1.0) if others_cpu > 0 else 0.0
    gain = 1.0 / (1.0 - min(float(waits / path.sum()) * due, 0.999))
    return Impact(Estimate(gain, gain, gain))


def _on_cpu(by_category: Array) -> float:
    return float(by_category[list(ON_CPU)].sum())


def smaller(one: Impact, other: Impact) -> Impact:
    """The lesser of two gains, bound by bound: what both have to allow."""
    a, b = one.speedup, other.speedup
    return replace(one, speedup=Estimate(min(a.value, b.value), min(a.low, b.low), min(a.high, b.high)))


def _threads_concerned(context: Context, taken: Array) -> Array:
    """Mask of the threads on whose path the cost lies: those that hold at least a hundredth of it.

    `taken`: seconds of the cost per thread and category. Threads that carry little of the program's busy time are not
    taken for what limits it: all threads then.
    """
    per_thread = taken.sum(axis=1)
    concerned: Array = per_thread > 0.01 * per_thread.sum()
    enough = context.by_thread[concerned].sum() >= MINOR * context.by_thread.sum()
    return concerned if enough else np.ones(len(concerned), dtype=bool)


def _induced_ratio(context: Context, taken: Array, concerned: Array) -> float:
    """How much other waiting goes with each second that is saved (at least 1: the second itself).

    With CPU time goes waiting for CPU and GIL. With a lock goes waiting for a CPU while CPUs are free: a thread that is
    woken by the lock's holder queues behind it. Where other programs push the threads aside, they do so in everything,
    after each wait above all; waits for other threads of the program are as much longer by that, and stand for no more.
    """
    removed, theirs = taken.sum(axis=0), context.by_thread[concerned].sum(axis=0)
    for_threads = removed[[LOCK, GIL, DEPENDENCY, NETWORK]].sum() > 0.5 * removed.sum()
    if context.pushed_aside > 0 and theirs[RUN_QUEUE] < theirs.sum() and not for_threads:
        with_gil = theirs[GIL] / _on_cpu(theirs) if _on_cpu(removed) >= 0.5 * removed.sum() > 0 else 0.0
        return float((1.0 + with_gil) / (1.0 - theirs[RUN_QUEUE] / theirs.sum()))
    if removed[LOCK] > 0.5 * removed.sum() and context.cpus_left:
        return 1.0 + float(theirs[RUN_QUEUE] / theirs[LOCK])
    if _on_cpu(removed) <= 0 or _on_cpu(removed) < 0.5 * removed.sum():
        return 1.0
    return 1.0 + float(theirs[RUN_QUEUE] + theirs[GIL]) / _on_cpu(theirs)


def _resource_bound(context: Context, taken: Array) -> float:
    """How far throughput could rise before the CPUs, or one process's GIL, are the limit."""
    remaining = context.cpu_seconds - _on_cpu(taken.sum(axis=0))
    if remaining <= 1e-9:
        return LARGEST
    wall = context.recording.duration_s
    bound = context.cores * wall / remaining
    under_gil = context.gil_limit_seconds(taken)  # each process has a GIL of its own
    if under_gil > 0:
        bound = min(bound, wall / under_gil)
    return max(1.0, bound)
