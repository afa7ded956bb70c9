"""Where the wall time of the run went: looks apportion the kernel's control totals.

Per thread and interval the kernel says how long it ran, how long it waited for a CPU and, as the remainder, how long
it was blocked. Looks say in which places and for which reasons. Each look is worth what the totals leave it, so sums
are the kernel's and only their division is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.analysis.accounting.looks import Looks, ThreadTime, starts
from storeprof.analysis.accounting.sightings import Sightings
from storeprof.recording.schema import REASONS

Array = np.ndarray[Any, Any]

CPU, RUN_QUEUE, LOCK, GIL, IO, NETWORK, DEPENDENCY, GC, PAGE_FAULT, SLEEP, OTHER = range(11)
CATEGORIES = (
    "cpu", "run_queue", "lock", "gil", "io", "network", "dependency", "gc", "page_fault", "sleep", "other",
)  # fmt: skip
ON_CPU = (CPU, GC)
FEWEST_SAMPLED = 20
CATEGORY_OF_REASON = {
    "gil": GIL, "lock": LOCK, "file-lock": LOCK, "disk": IO, "page-fault": PAGE_FAULT,
    "network-send": NETWORK, "network-receive": NETWORK, "network-accept": NETWORK, "poll": NETWORK,
    "pipe-read": DEPENDENCY, "pipe-write": DEPENDENCY, "queue-get": DEPENDENCY, "queue-put": DEPENDENCY,
    "condition": DEPENDENCY, "event": DEPENDENCY, "result": DEPENDENCY, "join": DEPENDENCY, "child": DEPENDENCY,
    "sleep": SLEEP, "unknown": OTHER,
}  # fmt: skip
CATEGORY_OF_CODE = np.array([CATEGORY_OF_REASON.get(reason, OTHER) for reason in REASONS], dtype=np.int8)


@dataclass(frozen=True)
class Queueing:
    """What is known of waits for a CPU: the part of each thread's that follows waits, and looks that were on a CPU.

    `woken`: per thread, 0 where it is unknown. `sampled`: per look, whether perf saw the thread on a CPU just before.
    """

    woken: Array
    sampled: Array


@dataclass(frozen=True)
class Charges:
    """Busy and idle wall time, row by row: which part of it falls to what was seen.

    Arrays of one length: `row` is an index into `seen`, `category` one of CATEGORIES, `weight_ns` the time, `idle`
    whether it was a wait for work. What was seen is looked up once it is asked for: a running look makes two rows.
    """

    seen: Sightings
    row: Array
    category: Array
    weight_ns: Array
    idle: Array

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def t_ns(self) -> Array:
        """Time of the look or sample."""
        return self.seen.t_ns.take(self.row)

    @cached_property
    def thread(self) -> Array:
        """Thread index."""
        return self.seen.thread.take(self.row)

    @cached_property
    def stack(self) -> Array:
        """Stack id; -1 without one."""
        return self.seen.stack.take(self.row)

    @cached_property
    def resource(self) -> Array:
        """Resource id; -1 without one."""
        return self.seen.resource.take(self.row)

    @cached_property
    def holder(self) -> Array:
        """Thread index of the GIL's holder; -1 without one."""
        return self.seen.holder.take(self.row)

    @cached_property
    def node(self) -> Array:
        """Scope node; 0 without one."""
        return self.seen.node.take(self.row)

    @cached_property
    def op_seq(self) -> Array:
        """Number of the operation; 0 outside operations."""
        return self.seen.op_seq.take(self.row)

    @cached_property
    def syscall(self) -> Array:
        """Number of the system call; -2 without one."""
        return self.seen.syscall.take(self.row)

    def where(self, mask: Array) -> Charges:
        """The rows that a mask, or an array of positions, picks."""
        picked = positions(mask)
        return Charges(self.seen, *(column.take(picked) for column in self._columns))

    @property
    def _columns(self) -> tuple[Array, Array, Array, Array]:
        return self.row, self.category, self.weight_ns, self.idle

    @property
    def busy(self) -> Charges:
        """All rows that are not idle: the denominator of every wall share."""
        return self.where(~self.idle)

    def thinned(self, most: int) -> Charges:
        """About `most` rows that stand for all, each k-th look with k times its weight; the same rows when fewer."""
        step = len(self.row) // most + 1
        if step == 1:
            return self
        kept = self.where(self.row % step == 0)
        return replace(kept, weight_ns=kept.weight_ns * step)

    def with_stacks(self, stack: Array) -> Charges:
        """The same rows with other stacks of what was seen."""
        return replace(self, seen=replace(self.seen, stack=stack))


def positions(mask: Array) -> Array:
    """Positions that a mask picks; positions are taken as they are."""
    return np.flatnonzero(mask) if mask.dtype == bool else mask


def concatenate(parts: list[Charges]) -> Charges:
    """Several sets of rows of the same sightings as one."""
    columns = zip(*(part._columns for part in parts), strict=True)
    return Charges(parts[0].seen, *(np.concatenate(column) for column in columns))


def charges_of(
    seen: Sightings, row: Array, category: int | Array, weight_ns: Array, idle: Array | None = None
) -> Charges:
    """Rows of `seen` with their time; those without any are left out."""
    kept = np.flatnonzero(weight_ns > 0)
    return Charges(
        seen,
        row.take(kept).astype(np.int32, copy=False),
        np.broadcast_to(np.asarray(category, dtype=np.int8), len(row)).take(kept),
        weight_ns.take(kept).astype(np.float32, copy=False),
        np.zeros(len(kept), dtype=bool) if idle is None else idle.take(kept),
    )


def charge(seen: Sightings, totals: ThreadTime, idle: Array, queueing: Queueing | None = None) -> Charges:
    """Apportion the control totals among the looks of `seen`; `idle` marks looks that wait for work.

    A look at a running thread becomes two rows, one on the CPU and one in the run queue. Run time of an interval
    without a running look goes to the thread's other running looks, and to a row without a stack when it has none.
    `queueing` says how much of either a look may be.
    """
    looks = seen.looks
    threads = len(looks.thread_ids)
    running = looks.because("running")
    weights = looks.weight_ns * (running & ~_stood_for(looks, running)), looks.weight_ns * ~running
    cpu, queue, wait = (np.zeros(len(looks), dtype=np.float32) for _ in range(3))
    missing = np.zeros((3, threads))
    first_span = starts(totals.thread, threads)
    for thread in np.unique(totals.thread[totals.thread >= 0]).tolist():
        mine, spans = looks.of_thread(thread), slice(first_span[thread], first_span[thread + 1])
        span = _span_of_look(looks.t_ns[mine], totals.t1_ns[spans])
        of_kernel = _run_delay_blocked(totals, spans)
        runs = queues = weights[0][mine]
        if queueing is not None:
            runs, queues = _claims(looks, thread, runs, of_kernel, queueing)
        claims = runs, queues, weights[1][mine]
        for place, (given, total, claim) in enumerate(zip((cpu, queue, wait), of_kernel, claims, strict=True)):
            given[mine] = _apportion(total, span, claim)
            missing[place, thread] = 0.0 if claim.any() else total.sum()
    every = np.arange(len(looks), dtype=np.int32)
    none = seen.without_place(np.arange(threads, dtype=np.int32))
    return concatenate(
        [
            charges_of(seen, every, np.where(looks.gc, np.int8(GC), np.int8(CPU)), cpu),
            charges_of(seen, every, RUN_QUEUE, queue),
            charges_of(seen, every, CATEGORY_OF_CODE.take(looks.reason_code), wait, idle),
            *(
                charges_of(seen, none, kind, total)
                for kind, total in zip((CPU, RUN_QUEUE, OTHER), missing, strict=True)
            ),
        ]
    )


def _claims(
    looks: Looks, thread: int, running: Array, of_kernel: tuple[Array, Array, Array], queueing: Queueing
) -> tuple[Array, Array]:
    """What running looks of a thread claim of its CPU time and of its queueing, which a look can't tell apart.

    A thread that was woken and has no CPU yet still stands where it waited; elsewhere it was pushed aside. How much of
    its looks at places where it waits as well is CPU time, perf tells, or else the part of its queueing after waits.
    """
    mine, woken = looks.of_thread(thread), float(queueing.woken[thread])
    delay_ns = float(of_kernel[1].sum())
    blocked = looks.weight_ns[mine] * (~looks.because("running")[mine] & (looks.stack[mine] >= 0))
    places, place = np.unique(looks.stack[mine], return_inverse=True)
    waits, runs = (np.bincount(place, weights=weights, minlength=len(places)) for weights in (blocked, running))
    at_wait = ((waits > 0) & (runs > 0))[place] & (running > 0)
    here, rest = float(running[at_wait].sum()), float(running[~at_wait].sum())
    if here <= 0 or woken * delay_ns <= 0:
        return running, running
    sampled = queueing.sampled[mine] & (running > 0)
    after_waits = min(here, woken * delay_ns)
    if sampled.sum() >= FEWEST_SAMPLED:  # then so much that their parts of what is left are those of the samples
        of_rest = float((sampled & ~at_wait).sum())
        surplus = here - rest * (sampled.sum() - of_rest) / of_rest if of_rest else 0.0
        after_waits = min(max(0.0, surplus), delay_ns)
    queued = _filled(runs, waits, after_waits)
    after = running * np.divide(queued, runs, out=np.zeros(len(runs)), where=runs > 0)[place] * at_wait
    left = running - after
    if float(left.sum()) <= 0:
        return running, running
    return left, after + left * max(0.0, delay_ns - after_waits) / float(left.sum())


def _filled(room: Array, inflow: Array, total: float) -> Array:
    """Divide a total by `inflow`, where no place takes more than its room; what does not fit goes to the others."""
    open_to = (room > 0) & (inflow > 0)
    order = np.flatnonzero(open_to)[np.argsort(room[open_to] / inflow[open_to], kind="stable")]
    room_before = np.concatenate([[0.0], np.cumsum(room[order])[:-1]])
    inflow_left = np.cumsum(inflow[order][::-1])[::-1]
    level = (total - room_before) / np.maximum(inflow_left, 1e-12)  # of those that are full before, none is open
    full = np.minimum.accumulate(level * inflow[order] >= room[order])
    last = level[np.count_nonzero(full)] if not full.all() else np.inf
    filled = np.zeros(len(room))
    filled[order] = np.where(full, room[order], np.clip(last * inflow[order], 0.0, room[order]))
    return filled


def _stood_for(looks: Looks, running: Array) -> Array:
    """Running looks whose Python stack could not be read, of threads that have readable ones: these stand for them.

    A stack that could not be read says nothing of where the thread was.
    """
    unread = running & (looks.stack < 0) & looks.read_as("torn", "partial")
    read = np.bincount(looks.thread[running & ~unread], minlength=len(looks.thread_ids)) > 0
    return unread & read[looks.thread]


def _run_delay_blocked(totals: ThreadTime, spans: slice) -> tuple[Array, Array, Array]:
    """Time on the CPU, in the run queue and blocked, per interval of one thread; they add up to its length."""
    wall = (totals.t1_ns[spans] - totals.t0_ns[spans]).astype(np.float64)
    run = np.minimum(totals.run_ns[spans], wall)
    delay = _carried(totals.delay_ns[spans], wall - run)
    return run, delay, wall - run - delay


def _carried(values: Array, room: Array) -> Array:
    """Move what does not fit an interval to the one before: run_delay jumps by a whole wait when it ends.

    From the last interval back, what is left over after each is its running sum above its lowest point so far.
    """
    over = np.cumsum((values - room)[::-1])
    left_over = (over - np.minimum(np.minimum.accumulate(over), 0.0))[::-1]
    carried: Array = np.minimum(values + np.append(left_over[1:], 0.0), room)
    return carried


def _span_of_look(t_ns: Array, ends_ns: Array) -> Array:
    """Interval that each look of a thread falls into; both are in order of time."""
    edges = np.searchsorted(t_ns, ends_ns[:-1], side="right")
    return np.repeat(np.arange(len(ends_ns)), np.diff(edges, prepend=0, append=len(t_ns)))


def _apportion(totals: Array, span: Array, weights: Array) -> Array:
    """Divide each interval's total among its looks by weight; what no look claims goes to all looks by weight."""
    whole = float(weights.sum(dtype=np.float64))
    if whole <= 0:
        return np.zeros(len(weights))
    claimed = np.bincount(span, weights=weights, minlength=len(totals))
    factor = np.divide(totals, claimed, out=np.zeros(len(totals)), where=claimed > 0)
    factor += float(totals[claimed <= 0].sum()) / whole
    shares: Array = weights * factor.take(span)
    return shares
