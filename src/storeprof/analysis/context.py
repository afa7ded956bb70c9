"""Everything the finders read, put together once per document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.analysis.charges import GIL, ON_CPU, Charges, charge, concatenate
from storeprof.analysis.grouping import distinct
from storeprof.analysis.idle import idle_looks
from storeprof.analysis.intervals import Blocks, Estimate
from storeprof.analysis.looks import Looks, ThreadTime, load_looks, load_thread_time, load_threads
from storeprof.analysis.native_places import NativeDetail, load_native_detail, with_native_places
from storeprof.analysis.operation_looks import OperationLooks, load_operation_looks, with_native_stacks
from storeprof.analysis.operations import OperationTree, load_operations
from storeprof.analysis.outside import outside_cpu_seconds
from storeprof.analysis.queueing import queueing_in_long
from storeprof.analysis.stacks import Stacks
from storeprof.analysis.tail_causes import Tail, operation_tails
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]
SATURATED = 0.8


@dataclass(frozen=True)
class Settings:
    """Thresholds of the method, as shares of busy wall.

    Of a tail: P99 over P50, the share of the gap that makes one cause of it, and the gap in seconds below which nobody
    would mend it (a buffer that is written out every hundredth call is meant to be so).
    """

    bottleneck_share: float = 0.10
    hotspot_share: float = 0.05
    bottleneck_speedup: float = 1.05
    unplaced_share: float = 0.10
    tail_ratio: float = 5.0
    tail_share: float = 0.50
    tail_floor_s: float = 0.0005


@dataclass(frozen=True)
class Context:
    """The recording's busy wall time, accounted for, with what finders need to size and place it."""

    recording: Recording
    settings: Settings
    stacks: Stacks
    looks: Looks
    totals: ThreadTime
    charges: Charges
    busy: Charges
    blocks: Blocks
    operations: OperationTree
    native: NativeDetail
    cores: int

    def share_of_busy(self, mask: Array) -> Estimate:
        """Share of busy wall that the masked rows of `busy` make up."""
        return self._share(mask, np.ones(len(mask), dtype=bool))

    def share_of_cpu(self, mask: Array) -> Estimate:
        """Share of CPU time that the masked rows of `busy` make up."""
        return self._share(mask, np.isin(self.busy.category, ON_CPU))

    def _share(self, part: Array, whole: Array) -> Estimate:
        rows = self.busy
        return self.blocks.share(
            self.blocks.sums(rows.t_ns[part], rows.weight_ns[part]),
            self.blocks.sums(rows.t_ns[whole], rows.weight_ns[whole]),
        )

    def seconds(self, mask: Array) -> float:
        """Wall time of the masked rows of `busy`, in seconds."""
        return float(self.busy.weight_ns[mask].sum()) / 1e9

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the window in seconds, garbage collection included."""
        return self.seconds(np.isin(self.busy.category, ON_CPU))

    @property
    def gil_bound(self) -> bool:
        """Whether threads wait for the GIL so much that it, not the CPUs, limits what Python code can run."""
        waiting = self.seconds(self.busy.category == GIL)
        return waiting > 0.1 * max(self.cpu_seconds, 1e-9)

    @property
    def cpu_bound(self) -> bool:
        """Whether the program's own threads use up the CPUs: only then is waiting for a CPU their own doing.

        (Not decided by what they want: a single thread that others push aside wants a CPU, too.)
        """
        return self.cpu_seconds > SATURATED * self.cores * self.recording.duration_s

    @property
    def cpus_left(self) -> bool:
        """Whether CPU time was left over, by this program and all others; False where that is unknown."""
        throttled, stolen, others = outside_cpu_seconds(self.recording)
        if others is None:
            return False
        taken = self.cpu_seconds + others + (throttled or 0.0) + (stolen or 0.0)
        return taken < (SATURATED + 0.05) * self.cores * self.recording.duration_s

    @cached_property
    def operation_looks(self) -> OperationLooks:
        """Busy rows inside operations, as looks saw them, with the length of each one's operation."""
        rows = concatenate([self.busy, self.native.replaced]) if len(self.native.replaced.t_ns) else self.busy
        looks = load_operation_looks(self.recording, self.looks.thread_ids, rows, self.operations)
        return queueing_in_long(with_native_stacks(looks, self.native), self.operations)

    @cached_property
    def tails(self) -> tuple[Tail, ...]:
        """The tail of each operation, taken apart."""
        return operation_tails(self)

    def place_functions(self, rows: Charges) -> Array:
        """Function index each row is charged to; -1 without a stack."""
        stack, back = distinct(rows.stack)
        places = [self.stacks.place(one) for one in stack.tolist()]
        return np.array([place.function if place else -1 for place in places], dtype=np.int64)[back]


def build_context(recording: Recording, settings: Settings) -> Context:
    """Account for the wall time of a recording."""
    stacks = Stacks(recording)
    thread_ids = load_threads(recording)
    looks = load_looks(recording, thread_ids)
    totals = load_thread_time(recording, thread_ids)
    idle = idle_looks(looks, stacks, _cpu_share(totals, len(thread_ids)))
    samples = load_native_detail(recording, thread_ids)
    charges, native = with_native_places(charge(looks, totals, idle), looks, samples, stacks)
    return Context(
        recording=recording,
        settings=settings,
        stacks=stacks,
        looks=looks,
        totals=totals,
        charges=charges,
        busy=charges.busy,
        blocks=Blocks(recording.window),
        operations=load_operations(recording),
        native=native,
        cores=int(recording.meta["machine"]["cpus_usable"]),
    )


def _cpu_share(totals: ThreadTime, threads: int) -> Array:
    known = totals.thread >= 0
    wall = np.bincount(totals.thread[known], weights=(totals.t1_ns - totals.t0_ns)[known], minlength=threads)
    run = np.bincount(totals.thread[known], weights=totals.run_ns[known], minlength=threads)
    return np.divide(run, wall, out=np.zeros(threads), where=wall > 0)
