"""Everything the finders read, put together once per document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import (
    CATEGORIES,
    GIL,
    ON_CPU,
    RUN_QUEUE,
    Charges,
    Queueing,
    charge,
    positions,
)
from storeprof.analysis.accounting.idle import History, idle_looks
from storeprof.analysis.accounting.looks import (
    Looks,
    ThreadTime,
    load_looks,
    load_thread_time,
    load_threads,
    woken_part,
)
from storeprof.analysis.accounting.native_places import (
    NativeDetail,
    load_native_detail,
    sampled_just_before,
    with_native_places,
    with_wait_stacks,
)
from storeprof.analysis.accounting.outside import outside_cpu_seconds
from storeprof.analysis.accounting.queueing import queueing_in_long
from storeprof.analysis.accounting.slack import Slack, slack_of
from storeprof.analysis.accounting.spinning import with_spins
from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.imported.recording import shortest_block_ns, time_is_known
from storeprof.analysis.intervals import Blocks, Estimate
from storeprof.analysis.memory.allocations import Allocations, load_allocations
from storeprof.analysis.operations import OperationTree, load_operations
from storeprof.analysis.processes import process_of_threads
from storeprof.analysis.settings import Settings
from storeprof.analysis.tail.causes import Tail, operation_tails
from storeprof.analysis.tail.operation_looks import OperationLooks, load_operation_looks, with_native_stacks
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]
SATURATED = 0.8
CROWDED = 1.5
QUEUES = 0.02  # of the threads' lives: below that it makes no difference where they stood
OTHERS = 0.1  # of the CPUs: less than that is the observer, and what every machine does
NEARLY_ALWAYS = 0.8
MATTERS = 0.02
CELL_NS = 25_000
MOST_CELLS = 4_000_000
# Tails compare bands of operations: more looks than these make them no clearer.
MOST_IN_OPERATIONS = 200_000
MOST_BESIDE = 200_000


@dataclass(frozen=True)
class Context:
    """The recording's busy wall time, accounted for, with what finders need to size and place it.

    Where a mask over the rows of `busy` is asked for, an array of their positions does as well. `process`: index of the
    process of each thread. `in_operations`: the busy rows of looks that fell into operations; those that `busy` has
    perf's samples in place of are among them. `looked_at`: busy rows of looks, inside scopes and outside; None where no
    scope was ever entered.
    """

    recording: Recording
    settings: Settings
    stacks: Stacks
    looks: Looks
    totals: ThreadTime
    busy: Charges
    blocks: Blocks
    operations: OperationTree
    native: NativeDetail
    slack: Slack
    in_operations: Charges
    process: Array
    cores: int
    looked_at: Charges | None = None

    @cached_property
    def allocations(self) -> Allocations:
        """The sampled allocations; without rows where the hook did not run."""
        return load_allocations(self.recording, self.stacks)

    def share_of_busy(self, mask: Array) -> Estimate:
        """Share of busy wall that the masked rows of `busy` make up."""
        return self.blocks.share(self.block_sums(mask), self.busy_blocks)

    def share_of_cpu(self, mask: Array) -> Estimate:
        """Share of CPU time that the masked rows of `busy` make up."""
        return self.blocks.share(self.block_sums(mask), self.cpu_blocks)

    def block_sums(self, mask: Array) -> Array:
        """Wall time of the masked rows of `busy` per block, in ns."""
        picked = positions(mask)
        return np.bincount(
            self._block.take(picked), weights=self.busy.weight_ns.take(picked), minlength=self.blocks.count
        )

    @cached_property
    def _block(self) -> Array:
        return self.blocks.of(self.busy.t_ns)

    @cached_property
    def time_cells(self) -> tuple[Array, int]:
        """Number of the cell of time that each row of `busy` lies in, and the length of a cell in ns."""
        start, end = self.recording.window
        length = max(CELL_NS, (end - start) // MOST_CELLS)
        return ((self.busy.t_ns - start) // length).astype(np.int32), length

    @cached_property
    def some_busy(self) -> Array:
        """Positions in `busy` that stand for all of it where coincidences are counted."""
        return np.flatnonzero(self.busy.row % (len(self.busy) // MOST_BESIDE + 1) == 0)

    def seen_near(self, t_ns: Array, within_ns: int, rows: Array) -> Array:
        """Mask over these rows (positions) of `busy`: which were seen within so many ns of one of these times.

        It is decided in cells of time: a search for each of millions of times takes longer than all else.
        """
        cell, cell_ns = self.time_cells
        at = np.unique((t_ns - self.recording.window[0]) // cell_ns)
        reach, cells = within_ns // cell_ns, int(cell.max(initial=0)) + 1
        edges = np.zeros(cells + 1, dtype=np.int16)
        np.add.at(edges, np.clip(at - reach, 0, cells), 1)
        np.add.at(edges, np.clip(at + reach + 1, 0, cells), -1)
        near: Array = (np.cumsum(edges, dtype=np.int16) > 0).take(cell.take(rows))
        return near

    @cached_property
    def busy_blocks(self) -> Array:
        """Busy wall per block, in ns."""
        return np.bincount(self._block, weights=self.busy.weight_ns, minlength=self.blocks.count)

    def blocks_of_threads(self, threads: Array) -> Array:
        """Busy wall of the masked threads per block, in ns."""
        if threads.all():
            return self.busy_blocks
        return self.block_sums(threads[self.busy.thread])

    @cached_property
    def cpu_blocks(self) -> Array:
        """CPU time per block, in ns."""
        return self.block_sums(np.isin(self.busy.category, ON_CPU))

    @cached_property
    def by_thread(self) -> Array:
        """Busy wall in seconds, per thread and category: shape (threads, categories)."""
        return self.seconds_by_thread(slice(None))

    def seconds_by_thread(self, rows: Array | slice) -> Array:
        """Wall time of some rows of `busy` (positions) in seconds: shape (threads, categories)."""
        count = len(CATEGORIES)
        cell = self.busy.thread[rows] * count + self.busy.category[rows]
        size = len(self.looks.thread_ids) * count
        return np.bincount(cell, weights=self.busy.weight_ns[rows], minlength=size).reshape(-1, count) / 1e9

    @cached_property
    def by_category(self) -> Array:
        """Busy wall in seconds per category."""
        found: Array = self.by_thread.sum(axis=0)
        return found

    @cached_property
    def placed_by_category(self) -> Array:
        """Busy wall that has a place, in seconds per category.

        Waiting for a CPU has its cause without one, and what came before the first stack is the interpreter's start.
        """
        rows = self.busy
        early = np.flatnonzero(rows.t_ns < self._first_stack_ns)
        placed = (rows.stack >= 0) | (rows.category == RUN_QUEUE)
        placed[early] = True
        found: Array = self.seconds_by_thread(np.flatnonzero(placed)).sum(axis=0)
        return found

    @property
    def _first_stack_ns(self) -> int:
        """When the interpreter was up; 0 without Python stacks."""
        with_stack = self.looks.t_ns[self.looks.stack >= 0]
        return int(with_stack.min()) if len(with_stack) else 0

    @cached_property
    def function(self) -> Array:
        """Function index that each row of `busy` is charged to; -1 without a stack."""
        return self.place_functions(self.busy)

    def seconds(self, mask: Array) -> float:
        """Wall time of the masked rows of `busy`, in seconds."""
        return float(self.busy.weight_ns.take(positions(mask)).sum(dtype=np.float64)) / 1e9

    def amount(self, mask: Array) -> str:
        """Wall time of the masked rows of `busy` in words; of an import whose counts are no time, their part."""
        if time_is_known(self.recording):
            return f"{self.seconds(mask):.2f} s"
        return f"{self.seconds(mask) / max(float(self.by_category.sum()), 1e-9):.1%} of the samples"

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the window in seconds, garbage collection included."""
        return float(self.by_category[list(ON_CPU)].sum())

    def gil_limit_seconds(self, taken: Array) -> float:
        """CPU time that stays in the process that its GIL limits most, without what is `taken` of it.

        `taken`: seconds per thread and category. A process is limited by its GIL, not the CPUs, when its threads wait
        for it a tenth as long as they run; removing such waits lifts the limit. 0 without such a process.
        """
        whole, removed = self._by_process(self.by_thread), self._by_process(taken)
        on_cpu, saved = (part[:, list(ON_CPU)].sum(axis=1) for part in (whole, removed))
        limited = (whole[:, GIL] > 0.1 * np.maximum(on_cpu, 1e-9)) & (removed[:, GIL] <= 0)
        return float(((on_cpu - saved) * limited).max(initial=0.0))

    def _by_process(self, by_thread: Array) -> Array:
        sums = np.zeros((int(self.process.max(initial=-1)) + 2, by_thread.shape[1]))
        np.add.at(sums, self.process, by_thread)
        return sums

    @property
    def cpus_wanted(self) -> float:
        """How many CPUs the program's threads would use on average, were there enough of them."""
        return (self.cpu_seconds + float(self.by_category[RUN_QUEUE])) / max(self.recording.duration_s, 1e-9)

    @property
    def cpu_bound(self) -> bool:
        """Whether the program's own threads use up the CPUs, or would do so on a quiet machine.

        (Not decided by what they want alone: a single thread that others push aside wants a CPU, too.)
        """
        uses_them_up = self.cpu_seconds > SATURATED * self.cores * self.recording.duration_s
        return uses_them_up or self.cpus_wanted > CROWDED * self.cores

    @property
    def cpus_left(self) -> bool:
        """Whether CPU time was left over, by this program and all others; False where that is unknown."""
        throttled, stolen, others = outside_cpu_seconds(self.recording)
        if others is None:
            return False
        taken = self.cpu_seconds + others + (throttled or 0.0) + (stolen or 0.0)
        return taken < (SATURATED + 0.05) * self.cores * self.recording.duration_s

    @cached_property
    def pushed_aside(self) -> float:
        """Share of busy wall in which other programs had the CPUs that the program's threads wanted.

        0 where its own threads use them up, its quota throttles it, or others took next to nothing.
        """
        throttled, stolen, others = outside_cpu_seconds(self.recording)
        taken = (others or 0.0) + (stolen or 0.0)
        queued, whole = float(self.by_category[RUN_QUEUE]), float(self.by_category.sum())
        if self.cpu_bound or taken < OTHERS * self.cores * self.recording.duration_s or whole <= 0:
            return 0.0
        return 0.0 if (throttled or 0.0) > 0.1 * queued else queued / whole

    @cached_property
    def limiting_threads(self) -> Array:
        """Which threads (by index) are busy nearly all their life: only they can limit the throughput."""
        busy = self.by_thread.sum(axis=1)
        lifetime = busy + self.slack.idle_s
        found: Array = (busy > NEARLY_ALWAYS * lifetime) & (busy > MATTERS * busy.max(initial=0.0))
        return found

    def history(self, thread: int) -> History:
        """The stacks of a thread in order of time."""
        if thread not in self._histories:
            self._histories[thread] = History(
                self.native.sampled_stacks(thread, self.looks), self.stacks, ordered=self.looks.ordered
            )
        return self._histories[thread]

    @cached_property
    def _histories(self) -> dict[int, History]:
        return {}

    @cached_property
    def operation_looks(self) -> OperationLooks:
        """Busy rows inside operations, as looks saw them, with the length of each one's operation."""
        looks = load_operation_looks(self.recording, self.in_operations, self.operations)
        return queueing_in_long(with_native_stacks(looks, self.native), self.operations)

    @cached_property
    def tails(self) -> tuple[Tail, ...]:
        """The tail of each operation, taken apart."""
        return operation_tails(self)

    def place_functions(self, rows: Charges) -> Array:
        """Function index each row is charged to; -1 without a stack."""
        return self.stacks.place_functions(rows.stack)


def build_context(recording: Recording, settings: Settings) -> Context:
    """Account for the wall time of a recording."""
    stacks = Stacks(recording, settings.fold_templates)
    looks = load_looks(recording, load_threads(recording))
    totals = load_thread_time(recording, looks.thread_ids)
    native = load_native_detail(recording, looks, stacks)
    looks = with_wait_stacks(looks, native, stacks)
    seen = native.with_samples(looks, recording.window[0])
    looks = seen.looks
    idle = idle_looks(looks, stacks, native, _cpu_share(totals, len(looks.thread_ids)))
    of_looks = charge(seen, totals, idle, _queueing(recording, looks, totals, native))
    charges = with_spins(with_native_places(of_looks, native), stacks)
    return Context(
        recording=recording,
        settings=settings,
        stacks=stacks,
        looks=looks,
        totals=totals,
        busy=charges.busy,
        blocks=Blocks(recording.window, shortest_ns=shortest_block_ns(recording)),
        operations=load_operations(recording),
        native=native,
        slack=slack_of(charges),
        in_operations=of_looks.where((of_looks.op_seq != 0) & ~of_looks.idle).thinned(MOST_IN_OPERATIONS),
        process=process_of_threads(recording, looks.thread_ids),
        cores=int(recording.meta["machine"]["cpus_usable"] or max(1, len(looks.thread_ids))),
        looked_at=_looked_at(of_looks) if looks.node.any() else None,
    )


def _queueing(recording: Recording, looks: Looks, totals: ThreadTime, native: NativeDetail) -> Queueing | None:
    """What is known of waits for a CPU; None where threads hardly wait for one."""
    if totals.delay_ns.sum() < QUEUES * float((totals.t1_ns - totals.t0_ns).sum()):
        return None
    return Queueing(woken_part(recording, looks.thread_ids), sampled_just_before(looks, native))


def _looked_at(of_looks: Charges) -> Charges:
    return of_looks.where((of_looks.row < len(of_looks.seen.looks)) & ~of_looks.idle).thinned(MOST_IN_OPERATIONS)


def _cpu_share(totals: ThreadTime, threads: int) -> Array:
    known = totals.thread >= 0
    wall = np.bincount(totals.thread[known], weights=(totals.t1_ns - totals.t0_ns)[known], minlength=threads)
    run = np.bincount(totals.thread[known], weights=totals.run_ns[known], minlength=threads)
    return np.divide(run, wall, out=np.zeros(threads), where=wall > 0)
