"""Where the wall time of the run went: looks apportion the kernel's control totals.

Per thread and interval the kernel says how long it ran, how long it waited for a CPU and, as the remainder, how long
it was blocked. Looks say in which places and for which reasons. Each look is worth what the totals leave it, so sums
are the kernel's and only their division is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storeprof.analysis.looks import Looks, ThreadTime

Array = np.ndarray[Any, Any]

CPU, RUN_QUEUE, LOCK, GIL, IO, NETWORK, DEPENDENCY, GC, PAGE_FAULT, SLEEP, OTHER = range(11)
CATEGORIES = (
    "cpu", "run_queue", "lock", "gil", "io", "network", "dependency", "gc", "page_fault", "sleep", "other",
)  # fmt: skip
ON_CPU = (CPU, GC)
CATEGORY_OF_REASON = {
    "gil": GIL, "lock": LOCK, "file-lock": LOCK, "disk": IO, "page-fault": PAGE_FAULT,
    "network-send": NETWORK, "network-receive": NETWORK, "network-accept": NETWORK, "poll": NETWORK,
    "pipe-read": DEPENDENCY, "pipe-write": DEPENDENCY, "queue-get": DEPENDENCY, "queue-put": DEPENDENCY,
    "condition": DEPENDENCY, "event": DEPENDENCY, "result": DEPENDENCY, "join": DEPENDENCY, "child": DEPENDENCY,
    "sleep": SLEEP, "unknown": OTHER,
}  # fmt: skip


@dataclass(frozen=True)
class Charges:
    """Busy and idle wall time, row by row.

    Arrays of one length: time of the look, thread index, category, weight in ns, stack id (-1 none), resource id
    (-1 none), holder's thread index (-1 none), scope node (0 none), operation number (0 none), system call (-2
    none), idle.
    """

    t_ns: Array
    thread: Array
    category: Array
    weight_ns: Array
    stack: Array
    resource: Array
    holder: Array
    node: Array
    op_seq: Array
    syscall: Array
    idle: Array

    def where(self, mask: Array) -> Charges:
        """The rows a mask picks."""
        return Charges(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    @property
    def busy(self) -> Charges:
        """All rows that are not idle: the denominator of every wall share."""
        return self.where(~self.idle)

    def with_idle(self, idle: Array) -> Charges:
        """The same rows with another idle mark."""
        return replace(self, idle=idle)


def concatenate(parts: list[Charges]) -> Charges:
    """Several sets of rows as one."""
    return Charges(*(np.concatenate([getattr(part, name) for part in parts]) for name in Charges.__dataclass_fields__))


def charge(looks: Looks, totals: ThreadTime, idle: Array) -> Charges:
    """Apportion the control totals among the looks.

    A look at a running thread becomes two rows, one on the CPU and one in the run queue. Run time of an interval
    without a running look goes to the thread's other running looks, and to a row without a stack when it has none.
    """
    rows = [_charge_thread(looks, totals, idle, thread) for thread in np.unique(totals.thread).tolist() if thread >= 0]
    return concatenate([row for row in rows if row is not None]) if rows else EMPTY


def _charge_thread(looks: Looks, totals: ThreadTime, idle: Array, thread: int) -> Charges | None:
    mine = np.flatnonzero(looks.thread == thread)
    spans = np.flatnonzero(totals.thread == thread)
    wall = (totals.t1_ns[spans] - totals.t0_ns[spans]).astype(np.float64)
    run = np.minimum(totals.run_ns[spans], wall)
    delay = np.minimum(_carried(totals.delay_ns[spans], wall - run), wall - run)
    blocked = wall - run - delay
    running = looks.reason[mine] == "running"
    # Python stacks that could not be read say nothing of where the thread was: the readable ones stand for them.
    unread = running & (looks.stack[mine] < 0) & np.isin(looks.quality[mine], ("torn", "partial"))
    running_weight = looks.weight_ns[mine] * (running & ~(unread if not unread[running].all() else False))
    span = np.clip(np.searchsorted(totals.t1_ns[spans], looks.t_ns[mine]), 0, len(spans) - 1)
    cpu = _apportion(run, span, running_weight)
    queue = _apportion(delay, span, running_weight)
    wait = _apportion(blocked, span, looks.weight_ns[mine] * ~running)
    parts = [
        _rows(looks, mine, np.where(looks.gc[mine], GC, CPU), cpu, np.zeros(len(mine), dtype=bool)),
        _rows(looks, mine, np.full(len(mine), RUN_QUEUE), queue, np.zeros(len(mine), dtype=bool)),
        _rows(looks, mine, _categories(looks.reason[mine]), wait, idle[mine]),
    ]
    middle = int(totals.t0_ns[spans[0]])
    for category, total, given in ((CPU, run, cpu), (RUN_QUEUE, delay, queue), (OTHER, blocked, wait)):
        missing = float(total.sum() - given.sum())
        if missing > 1.0:
            parts.append(_without_place(middle, thread, category, missing))
    whole = concatenate(parts)
    return whole.where(whole.weight_ns > 0)


def _carried(values: Array, room: Array) -> Array:
    """Move what does not fit an interval to the one before: run_delay jumps by a whole wait when it ends."""
    result = values.copy()
    for i in range(len(result) - 1, 0, -1):
        excess = result[i] - room[i]
        if excess > 0:
            result[i] -= excess
            result[i - 1] += excess
    return result


def _apportion(totals: Array, span: Array, weights: Array) -> Array:
    """Divide each interval's total among its looks by weight; what no look claims goes to all looks by weight."""
    if weights.sum() <= 0:
        return np.zeros(len(weights))
    claimed = np.bincount(span, weights=weights, minlength=len(totals))
    factor = np.divide(totals, claimed, out=np.zeros(len(totals)), where=claimed > 0)
    shares: Array = weights * factor[span]
    unclaimed = float(totals[claimed <= 0].sum())
    shares += unclaimed * weights / weights.sum()
    return shares


def _categories(reasons: Array) -> Array:
    return np.array([CATEGORY_OF_REASON.get(reason, OTHER) for reason in reasons.tolist()], dtype=np.int64)


def _rows(looks: Looks, mine: Array, category: Array, weight: Array, idle: Array) -> Charges:
    return Charges(
        t_ns=looks.t_ns[mine],
        thread=looks.thread[mine],
        category=category,
        weight_ns=weight,
        stack=looks.stack[mine],
        resource=looks.resource[mine],
        holder=looks.holder[mine],
        node=looks.node[mine],
        op_seq=looks.op_seq[mine],
        syscall=looks.syscall[mine],
        idle=idle,
    )


def _without_place(t_ns: int, thread: int, category: int, weight: float) -> Charges:
    none = np.array([-1])
    zero = np.array([0])
    return Charges(
        t_ns=np.array([t_ns]),
        thread=np.array([thread]),
        category=np.array([category]),
        weight_ns=np.array([weight]),
        stack=none,
        resource=none,
        holder=none,
        node=zero,
        op_seq=zero,
        syscall=none - 1,
        idle=np.array([False]),
    )


EMPTY = _without_place(0, 0, OTHER, 0.0).where(np.array([False]))
