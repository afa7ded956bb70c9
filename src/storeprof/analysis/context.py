"""Everything the finders read, put together once per document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.analysis.charges import GIL, ON_CPU, RUN_QUEUE, Charges, charge
from storeprof.analysis.idle import idle_looks
from storeprof.analysis.intervals import Blocks, Estimate
from storeprof.analysis.looks import Looks, ThreadTime, load_looks, load_thread_time, load_threads
from storeprof.analysis.native_places import NativeDetail, load_native_detail, with_native_places, with_wait_stacks
from storeprof.analysis.operations import OperationTree, load_operations
from storeprof.analysis.outside import outside_cpu_seconds
from storeprof.analysis.processes import process_of_threads
from storeprof.analysis.stacks import Stacks
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]
SATURATED = 0.8
CROWDED = 1.5
NEARLY_ALWAYS = 0.8
MATTERS = 0.02


@dataclass(frozen=True)
class Settings:
    """Thresholds of the method, as shares of busy wall."""

    bottleneck_share: float = 0.10
    hotspot_share: float = 0.05
    bottleneck_speedup: float = 1.05
    unplaced_share: float = 0.10


@dataclass(frozen=True)
class Context:
    """The recording's busy wall time, accounted for, with what finders need to size and place it.

    `process`: index of the process of each thread.
    """

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
    process: Array
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

    def gil_limit_seconds(self, removed: Array) -> float:
        """CPU time that stays, without the masked rows of `busy`, in the process that its GIL limits most.

        A process is limited by its GIL, not the CPUs, when its threads wait for it a tenth as long as they run;
        removing such waits lifts the limit. 0 without such a process.
        """
        waits, on_cpu = self._gil_and_cpu_seconds
        limited = waits > 0.1 * np.maximum(on_cpu, 1e-9)
        if not limited.any():
            return 0.0
        limited &= self._seconds_by_process(removed & (self.busy.category == GIL)) == 0
        saved = self._seconds_by_process(removed & np.isin(self.busy.category, ON_CPU))
        return float(((on_cpu - saved) * limited).max())

    @cached_property
    def _gil_and_cpu_seconds(self) -> tuple[Array, Array]:
        category = self.busy.category
        return self._seconds_by_process(category == GIL), self._seconds_by_process(np.isin(category, ON_CPU))

    def _seconds_by_process(self, mask: Array) -> Array:
        process = self.process[self.busy.thread[mask]]
        return np.bincount(process, weights=self.busy.weight_ns[mask], minlength=len(self.process) + 1) / 1e9

    @property
    def cpus_wanted(self) -> float:
        """How many CPUs the program's threads would use on average, were there enough of them."""
        waiting = self.seconds(self.busy.category == RUN_QUEUE)
        return (self.cpu_seconds + waiting) / max(self.recording.duration_s, 1e-9)

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
    def limiting_threads(self) -> Array:
        """Which threads (by index) are busy nearly all their life: only they can limit the throughput."""
        whole, count = self.charges, len(self.looks.thread_ids)
        lifetime = np.bincount(whole.thread, weights=whole.weight_ns, minlength=count)
        idle = np.bincount(whole.thread, weights=whole.weight_ns * whole.idle, minlength=count)
        busy = lifetime - idle
        found: Array = (busy > NEARLY_ALWAYS * lifetime) & (busy > MATTERS * busy.max(initial=0.0))
        return found

    def place_functions(self, rows: Charges) -> Array:
        """Function index each row is charged to; -1 without a stack."""
        known: dict[int, int] = {}
        for stack in np.unique(rows.stack).tolist():
            place = self.stacks.place(stack)
            known[stack] = -1 if place is None else place.function
        return np.array([known[stack] for stack in rows.stack.tolist()], dtype=np.int64)


def build_context(recording: Recording, settings: Settings) -> Context:
    """Account for the wall time of a recording."""
    stacks = Stacks(recording)
    thread_ids = load_threads(recording)
    looks = load_looks(recording, thread_ids)
    totals = load_thread_time(recording, thread_ids)
    native = load_native_detail(recording, looks, stacks)
    looks = with_wait_stacks(looks, native, stacks)
    idle = idle_looks(looks, stacks, native, _cpu_share(totals, len(thread_ids)))
    charges = with_native_places(charge(looks, totals, idle), native)
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
        process=process_of_threads(recording, thread_ids),
        cores=int(recording.meta["machine"]["cpus_usable"]),
    )


def _cpu_share(totals: ThreadTime, threads: int) -> Array:
    known = totals.thread >= 0
    wall = np.bincount(totals.thread[known], weights=(totals.t1_ns - totals.t0_ns)[known], minlength=threads)
    run = np.bincount(totals.thread[known], weights=totals.run_ns[known], minlength=threads)
    return np.divide(run, wall, out=np.zeros(threads), where=wall > 0)
