"""Hand-offs between threads: who hands over, how often, and how much of the time that takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import (
    CATEGORY_OF_CODE,
    DEPENDENCY,
    IO,
    ON_CPU,
    OTHER,
    PAGE_FAULT,
    RUN_QUEUE,
    SLEEP,
)
from storeprof.analysis.accounting.kernel_work import KernelWork, kernel_work
from storeprof.analysis.accounting.looks import index_of
from storeprof.analysis.context import Context

Array = np.ndarray[Any, Any]

WAITS = (DEPENDENCY,)  # an answer over a socket is network-wait, however quick
WORK_OFF_CPU = (IO, PAGE_FAULT, SLEEP)
HAND_OFF_CALLS = frozenset(
    {
        "schedule", "__schedule", "do_futex", "pipe_read", "pipe_write", "anon_pipe_read", "anon_pipe_write",
        "eventfd_read", "eventfd_write", "do_epoll_wait", "do_sys_poll", "core_sys_select", "try_to_wake_up",
    }
)  # fmt: skip
HAND_OFF_LIBRARY = (
    "queue.", "threading.Condition.", "threading.Event.", "threading.Semaphore.", "threading.Barrier.",
    "concurrent.futures.", "multiprocessing.queues.", "multiprocessing.connection.",
)  # fmt: skip
FEWEST_SWITCHES_PER_S = 1000
LITTLE_WORK_NS = 100_000  # of CPU time between two switches: under 20 times what they cost
SWITCH_NS, LEAST, MOST = 3_000, 0.67, 1.67  # a wake-up and the two switches it causes: 2 to 5 us
PERF_SWITCH_NS = 1_000  # what perf's two events add to each switch while it looks;
PERF_AT_MOST = 0.5  # that part is not all in the frames that are sampled, so no more than half is taken off


@dataclass(frozen=True)
class Traffic:
    """`threads`: which threads hand over; `switches`: context switches of each; `per_second`: of those that do."""

    threads: Array
    switches: Array
    per_second: float


def hand_off_traffic(context: Context) -> Traffic:
    """Threads that switch often, work little in between and wait mostly for each other."""
    threads = len(context.looks.thread_ids)
    switches, seconds = _switches(context)
    run = np.bincount(context.totals.thread, weights=context.totals.run_ns, minlength=threads)
    per_second = np.divide(switches, seconds, out=np.zeros(threads), where=seconds > 0)
    small = (per_second >= FEWEST_SWITCHES_PER_S) & (run < LITTLE_WORK_NS * switches)
    handing = small & _waits_for_others(context)
    return Traffic(handing, switches, float(per_second[handing].sum()))


def _switches(context: Context) -> tuple[Array, Array]:
    """Switches per thread and the seconds they were counted over: the last reading may be a second before the end."""
    start, end = context.recording.window
    rows = context.recording.sql(
        """
        SELECT thread_id, sum(voluntary_switches + involuntary_switches) AS n,
               max(t1_ns) FILTER (voluntary_switches + involuntary_switches > 0) - min(t0_ns) AS ns
        FROM thread_time WHERE t1_ns > ? AND t0_ns < ? GROUP BY thread_id HAVING n > 0
        """,
        [start, end],
    )
    threads = len(context.looks.thread_ids)
    counted, seconds = np.zeros(threads), np.zeros(threads)
    at = index_of(context.looks.thread_ids, rows["thread_id"])
    counted[at], seconds[at] = rows["n"].astype(np.float64), rows["ns"].astype(np.float64) / 1e9
    return counted, seconds


def _waits_for_others(context: Context) -> Array:
    """Per thread, whether over half of its blocked time is waiting for other threads of the program, idle or not."""
    looks, threads = context.looks, len(context.looks.thread_ids)
    category = CATEGORY_OF_CODE[looks.reason_code]
    running = looks.because("running")
    waits = np.where(running | (category == OTHER), 0.0, looks.weight_ns)
    all_waits = np.bincount(looks.thread, weights=waits, minlength=threads)
    for_others = np.bincount(looks.thread, weights=waits * (category == DEPENDENCY), minlength=threads)
    found: Array = (for_others > 0) & (for_others >= 0.5 * all_waits)
    return found


def sampled_work(context: Context, traffic: Traffic) -> KernelWork:
    """Hand-off work by perf's kernel frames, without what perf itself adds to each switch.

    Python's queues and conditions cost more in their own code than in the kernel: where their frames are on the stack
    for longer than that, all of their time is the hand-off.
    """
    work, rows, threads = kernel_work(context, HAND_OFF_CALLS), context.busy, len(traffic.threads)
    kernel = np.bincount(rows.thread, weights=rows.weight_ns * work.fraction, minlength=threads)
    added = np.divide(traffic.switches * PERF_SWITCH_NS, kernel, out=np.zeros(threads), where=kernel > 0)
    fraction = work.fraction * np.clip(1.0 - added, PERF_AT_MOST, 1.0)[rows.thread]
    calls = _in_hand_off_library(context) & np.isin(rows.category, ON_CPU)
    library = np.bincount(rows.thread, weights=rows.weight_ns * calls, minlength=threads)
    return replace(work, fraction=np.where((library > kernel)[rows.thread], calls, fraction))


def _in_hand_off_library(context: Context) -> Array:
    """Whether each row of busy wall stands below a function of Python's library that hands over."""
    functions, stacks = context.stacks.functions, context.stacks
    found = np.zeros(len(context.busy), dtype=bool)
    for key, one in enumerate(functions):
        if one.library and one.name.startswith(HAND_OFF_LIBRARY):
            found |= stacks.having(key, context.busy.stack)
    return found


def counted_work(context: Context, traffic: Traffic) -> KernelWork:
    """Hand-off work by counts: each thread's switches times what one costs, of its CPU time."""
    rows, threads = context.busy, len(traffic.threads)
    on_cpu = np.isin(rows.category, ON_CPU)
    run = np.bincount(rows.thread[on_cpu], weights=rows.weight_ns[on_cpu], minlength=threads)
    part = np.divide(traffic.switches * SWITCH_NS, run, out=np.zeros(threads), where=run > 0)
    mine = on_cpu & traffic.threads[rows.thread]
    return KernelWork(np.where(mine, np.minimum(part, 0.9)[rows.thread], 0.0), rows.where(mine))


def hand_off_part(context: Context, threads: Array, on_cpu: Array) -> Array:
    """Fraction of each row of busy wall that is hand-off: its CPU part, and waits beyond the other side's real work.

    While a thread waits, the others' real work would have to be done anyway, on a CPU or on a disk, by any thread;
    what exceeds it is the way there and back.
    """
    rows, count = context.busy, len(threads)
    is_cpu = np.isin(rows.category, ON_CPU)
    real = np.where(is_cpu, 1.0 - on_cpu, np.isin(rows.category, WORK_OFF_CPU))
    useful = np.bincount(rows.thread, weights=rows.weight_ns * real, minlength=count)
    others = useful.sum() - useful
    waiting = (context.by_thread[:, WAITS].sum(axis=1) + context.slack.idle_s) * 1e9
    late = np.clip(1.0 - np.divide(others, waiting, out=np.ones(count), where=waiting > 0), 0.0, 1.0) * threads
    fraction = np.where(is_cpu, on_cpu, 0.0)
    fraction = np.where(np.isin(rows.category, WAITS), late[rows.thread], fraction)
    if context.cpus_left:  # else the queue is that of others
        fraction = np.where((rows.category == RUN_QUEUE) & threads[rows.thread], 1.0, fraction)
    return fraction
