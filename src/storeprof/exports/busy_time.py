"""Busy wall time as exporters need it: per thread the stacks in order of time, each with its reason and its weight.

It is the accounting of the analysis (control totals divided among looks and samples), so an export and the report
never disagree. Idle time, in which a thread waited for work, is in no export, as it is in no share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import CATEGORIES, ON_CPU, Charges
from storeprof.analysis.accounting.looks import index_of
from storeprof.analysis.context import Context
from storeprof.views.hosted import operations_of_rows

Array = np.ndarray[Any, Any]

# The innermost frame of time that was no CPU time, as a viewer shows it.
WAITS = {
    "run_queue": "[waiting for a CPU]", "lock": "[lock]", "gil": "[GIL]", "io": "[disk]", "network": "[network]",
    "dependency": "[other threads' work]", "gc": "[garbage collection]", "page_fault": "[page fault from disk]",
    "sleep": "[sleeping]", "other": "[unknown wait]",
}  # fmt: skip
NO_STACK = "[no stack]"
MOST_SAMPLES = 50_000  # that a timeline draws


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of an exported stack: a function of the program, or what a thread waited for (without a file)."""

    name: str
    file: str | None = None
    first_line: int | None = None
    line: int | None = None

    @property
    def function(self) -> Frame:
        """The frame's function, wherever in it the frame stands."""
        return Frame(self.name, self.file, self.first_line)


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of the program under study, with its process."""

    pid: int
    tid: int
    name: str
    process: str

    @property
    def label(self) -> str:
        """What a viewer lists: name and number."""
        return f"{self.name} ({self.tid})"


@dataclass(frozen=True, slots=True)
class Sample:
    """Time of one thread at one place: `frames` from the root to the leaf, without the wait; weight in ns."""

    t_ns: int
    stack: int
    category: str
    node: int
    weight_ns: float


class BusyTime:
    """The busy wall time of one recording."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.start_ns, self.end_ns = context.recording.window
        self._frames: dict[tuple[int, bool], tuple[Frame, ...]] = {}
        self._with_wait: dict[tuple[int, str], tuple[Frame, ...]] = {}
        self._functions: dict[Frame, Frame] = {}

    @cached_property
    def threads(self) -> tuple[Thread, ...]:
        """All threads, by thread index."""
        ids = self.context.looks.thread_ids
        rows = self.context.recording.sql(
            "SELECT t.thread_id, coalesce(p.pid, 0) AS pid, "
            "coalesce(t.tid, t.thread_id % 1000000007) AS tid, coalesce(t.name, '') AS name, "
            "coalesce(p.name, p.exe, '') AS process "
            "FROM threads t JOIN processes p USING (proc_id)"
        )
        columns = (rows[name].tolist() for name in ("pid", "tid", "name", "process"))
        known = [
            Thread(pid, tid, name or str(tid), process or str(pid))
            for pid, tid, name, process in zip(*columns, strict=True)
        ]
        found = dict(zip(index_of(ids, rows["thread_id"]).tolist(), known, strict=True))
        return tuple(found.get(at, Thread(0, at, f"thread {at}", "unknown")) for at in range(len(ids)))

    def samples(self, thread: int) -> Iterator[Sample]:
        """A thread's busy time in order of time; what has no place comes last, as nobody knows when it was.

        Of a recording with more than MOST_SAMPLES rows as many are drawn, evenly along the busy time, each for as much
        of it: what takes a share of the time is drawn that share of the times.
        """
        rows = self._by_thread[thread]
        kept, weights = np.arange(len(rows)), rows.weight_ns
        if len(self.context.busy) > MOST_SAMPLES:
            step = 1e9 * float(self.context.by_category.sum()) / MOST_SAMPLES
            reached = np.cumsum(rows.weight_ns, dtype=np.float64)
            count = max(1, round(reached[-1] / step)) if len(rows) else 0
            each = reached[-1] / max(1, count) if len(rows) else 0.0
            drawn = np.searchsorted(reached, (np.arange(count) + 0.5) * each)
            kept, times = np.unique(np.minimum(drawn, len(rows) - 1), return_counts=True)
            weights = times * each
            rows = rows.where(kept)
        columns = (rows.t_ns, rows.stack, rows.category, rows.node, weights)
        for t_ns, stack, category, node, weight in zip(*(column.tolist() for column in columns), strict=True):
            yield Sample(t_ns, stack, CATEGORIES[category], node, weight)

    def busy_threads(self) -> list[int]:
        """Indices of the threads that were busy at all, busiest first."""
        seconds = self.context.by_thread.sum(axis=1)
        return [at for at in np.argsort(-seconds, kind="stable").tolist() if seconds[at] > 0]

    def summed(self) -> Iterator[tuple[int, int, str, str | None, int]]:
        """Thread, stack, category, operation (if any) and time in whole ns, one row for each combination."""
        rows = self.context.busy
        operation, _ = operations_of_rows(self.context)  # as the page has it: native code by its stack
        names = [None, *self.context.operations.names]
        sizes = [int(column.max(initial=0)) + 2 for column in (rows.thread, rows.stack, rows.category, operation)]
        key = np.zeros(len(rows), dtype=np.int64)
        for column, size in zip((rows.thread, rows.stack, rows.category, operation), sizes, strict=True):
            key = key * size + column + 1  # a stack is -1 where there is none
        found, which = np.unique(key, return_inverse=True)
        sums = np.rint(np.bincount(which, weights=rows.weight_ns, minlength=len(found)))
        columns = []
        for size in reversed(sizes):
            found, column = np.divmod(found, size)
            columns.append((column - 1).tolist())
        number, category, stack, thread = columns
        for at, weight in enumerate(sums.tolist()):
            if weight > 0:
                yield thread[at], stack[at], CATEGORIES[category[at]], names[number[at]], int(weight)

    def frames(self, stack: int, category: str) -> tuple[Frame, ...]:
        """Frames of a stack from the root to the leaf; one that says so where there is none.

        A function that calls itself, or a comprehension in it, is one frame, at the innermost line. How the kernel
        puts a thread to sleep is left out of waits: what it waits for is known.
        """
        waits = category in WAITS
        if (stack, waits) not in self._frames:
            stacks = self.context.stacks
            found: list[Frame] = []
            for at in reversed(stacks.frames(stack)):
                function = stacks.functions[at.function]
                if waits and function.kind == "kernel":
                    continue
                frame = Frame(function.name, function.file, function.line, at.line)
                if found and found[-1].function == frame.function:
                    found.pop()
                found.append(frame)
            self._frames[stack, waits] = tuple(found) or (Frame(NO_STACK),)
        return self._frames[stack, waits]

    def with_wait(self, stack: int, category: str) -> tuple[Frame, ...]:
        """Frames of a stack as functions, with what the thread waited for as the innermost one.

        The same function is the same object throughout: timelines compare millions of them.
        """
        if (stack, category) not in self._with_wait:
            frames = [frame.function for frame in self.frames(stack, category)]
            frames += [Frame(WAITS[category])] if category in WAITS else []
            self._with_wait[stack, category] = tuple(self._functions.setdefault(frame, frame) for frame in frames)
        return self._with_wait[stack, category]

    def operation_of(self, node: int) -> str | None:
        """The operation that a scope node lies in."""
        return self.context.operations.operation_of_node.get(node)

    @property
    def categories(self) -> list[str]:
        """Categories that any time fell into, CPU first."""
        sums = self.context.by_category
        return [name for name, value in zip(CATEGORIES, sums, strict=True) if value > 0]

    @property
    def cpu_categories(self) -> frozenset[str]:
        """Categories that are CPU time."""
        return frozenset(CATEGORIES[at] for at in ON_CPU)

    @property
    def title(self) -> str:
        """What was recorded, in a few words."""
        meta = self.context.recording.meta
        if meta.get("engine"):
            return f"{meta['engine']} {meta.get('workload') or ''}".strip()
        if meta.get("command"):
            return " ".join(meta["command"])
        if meta.get("attached_pid"):
            return f"pid {meta['attached_pid']}"
        files = (meta.get("imported") or {}).get("files") or []
        named = [row["figures"]["process"] for row in files if row["figures"].get("process")]
        return f"imported: {(named or [row['file'] for row in files] or ['no file'])[0]}"

    @cached_property
    def _by_thread(self) -> dict[int, Charges]:
        busy = self.context.busy
        placeless = busy.row >= len(busy.seen.looks) + busy.seen.samples
        order = np.lexsort((busy.t_ns, placeless, busy.thread))
        ordered = busy.where(order)
        ends = np.searchsorted(ordered.thread, np.arange(len(self.context.looks.thread_ids) + 1))
        return {
            thread: ordered.where(np.arange(ends[thread], ends[thread + 1]))
            for thread in range(len(self.context.looks.thread_ids))
        }
