"""Native code: perf's stacks where looks have none, and which native functions Python functions spend their time in.

perf and looks are never paired sample by sample. For native threads perf's stacks divide the CPU time that the control
totals state. For Python threads only samples closer than 0.2 ms to a look say which native function a Python function
was in; together they estimate a share, no single pair is believed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from storeprof.analysis.charges import (
    CATEGORY_OF_REASON,
    CPU,
    DEPENDENCY,
    IO,
    LOCK,
    OTHER,
    SLEEP,
    Charges,
    concatenate,
)
from storeprof.analysis.looks import Looks, index_of
from storeprof.analysis.stacks import Stacks
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]

CLOSE_NS = 200_000
FEWEST_PAIRS = 10
WINDOW_NS = 1_000_000_000
NATIVE_THREAD = 0.1
_FAMILIES = (
    (("mutex_lock", "lll_lock", "rwlock", "pthread_mutex"), LOCK),
    (
        ("cond_wait", "cond_timedwait", "cond_clockwait", "sem_wait", "thread_join", "__join", "atomic_wait"),
        DEPENDENCY,
    ),
    (("sleep",), SLEEP),
    (("fsync", "fdatasync", "sync", "read", "write", "open", "rename", "unlink", "fault"), IO),
)


@dataclass(frozen=True)
class NativeDetail:
    """perf's samples of the window, ordered by thread and time, and what they say of Python functions."""

    cpu_t: Array
    cpu_thread: Array
    cpu_stack: Array
    switch_t: Array
    switch_thread: Array
    switch_stack: Array
    native_threads: set[int] = field(default_factory=set)
    callees: dict[int, list[tuple[str, float]]] = field(default_factory=dict)

    def callees_of(self, function: int) -> list[tuple[str, float]]:
        """Native functions a Python function spends its CPU time in, with shares of it, largest first."""
        return self.callees.get(function, [])

    def sampled_stacks(self, thread: int, looks: Looks) -> Array:
        """Stacks of a thread in order of time: of its looks; a native thread's are perf's, and those of its waits."""
        mine = looks.thread == thread
        if thread not in self.native_threads:
            of_looks: Array = looks.stack[mine]
            return of_looks
        mine &= looks.stack >= 0
        sampled = self.cpu_thread == thread
        order = np.argsort(np.concatenate([looks.t_ns[mine], self.cpu_t[sampled]]), kind="stable")
        found: Array = np.concatenate([looks.stack[mine], self.cpu_stack[sampled]])[order]
        return found


def load_native_detail(recording: Recording, looks: Looks, stacks: Stacks) -> NativeDetail:
    """Read perf's samples of the window, and learn from them what Python functions call; empty without perf."""
    thread_ids = looks.thread_ids
    start, end = recording.window
    cpu = _samples(recording, "SELECT t_ns, thread_id, stack_id FROM cpu_samples", start, end, thread_ids)
    switch = _samples(
        recording,
        "SELECT t_ns, thread_id, stack_id FROM switch_samples WHERE state <> 'R'",
        start,
        end,
        thread_ids,
    )
    threads = _native_threads(looks)
    found = NativeDetail(*cpu, *switch, native_threads=threads & set(cpu[1].tolist()))
    return replace(found, callees=_python_callees(looks, found, stacks, threads))


def _samples(recording: Recording, query: str, start: int, end: int, thread_ids: Array) -> tuple[Array, Array, Array]:
    rows = recording.sql(f"SELECT * FROM ({query}) WHERE t_ns BETWEEN ? AND ? AND stack_id IS NOT NULL", [start, end])
    thread = index_of(thread_ids, rows["thread_id"])
    order = np.lexsort((rows["t_ns"], thread))
    return rows["t_ns"][order], thread[order], rows["stack_id"][order]


def with_native_places(charges: Charges, native: NativeDetail) -> Charges:
    """Give the CPU time of native threads the places that perf saw; sums per thread and category stay."""
    kept, replaced = np.ones(len(charges.t_ns), dtype=bool), []
    for thread in sorted(native.native_threads):
        cpu = (charges.thread == thread) & (charges.category == CPU)
        kept &= ~cpu
        replaced.append(_spread(charges.where(cpu), native, thread))
    return concatenate([charges.where(kept), *replaced]) if replaced else charges


def _native_threads(looks: Looks) -> set[int]:
    result = set()
    for thread in np.unique(looks.thread).tolist():
        if float(np.mean(looks.stack[looks.thread == thread] >= 0)) < NATIVE_THREAD:
            result.add(thread)
    return result


def _spread(rows: Charges, native: NativeDetail, thread: int) -> Charges:
    """Divide a thread's CPU time among perf's samples, second by second, so that its total stays the kernel's."""
    mine = np.flatnonzero(native.cpu_thread == thread)
    times = native.cpu_t[mine]
    origin = int(min(times.min(), rows.t_ns.min())) if len(rows.t_ns) else int(times.min())
    windows = int((max(times.max(), rows.t_ns.max() if len(rows.t_ns) else 0) - origin) // WINDOW_NS) + 1
    total = np.bincount((rows.t_ns - origin) // WINDOW_NS, weights=rows.weight_ns, minlength=windows)
    count = np.bincount((times - origin) // WINDOW_NS, minlength=windows)
    each = np.divide(total, count, out=np.zeros(windows), where=count > 0)
    left_over = float(total[count == 0].sum()) / len(mine)
    weight = each[(times - origin) // WINDOW_NS] + left_over
    none = np.full(len(mine), -1)
    zero = np.zeros(len(mine), dtype=np.int64)
    return Charges(
        t_ns=times, thread=np.full(len(mine), thread), category=np.full(len(mine), CPU), weight_ns=weight,
        stack=native.cpu_stack[mine], resource=none, holder=none, node=zero, op_seq=zero, syscall=none - 1,
        idle=np.zeros(len(mine), dtype=bool),
    )  # fmt: skip


def with_wait_stacks(looks: Looks, native: NativeDetail, stacks: Stacks) -> Looks:
    """Give each wait of a native thread the stack of the nearest switch of the same kind before or after it."""
    filled = looks.stack.copy()
    for thread in sorted(_native_threads(looks) & set(native.switch_thread.tolist())):
        mine = np.flatnonzero(native.switch_thread == thread)
        family = np.array([_family(stacks, int(stack)) for stack in native.switch_stack[mine]])
        waits = np.flatnonzero((looks.thread == thread) & (looks.reason != "running") & (looks.stack < 0))
        category = np.array([CATEGORY_OF_REASON.get(reason, OTHER) for reason in looks.reason[waits].tolist()])
        for kind in np.unique(category).tolist():
            samples, rows = mine[family == kind], waits[category == kind]
            if len(samples):
                nearest = _nearest(native.switch_t[samples], looks.t_ns[rows])
                filled[rows] = native.switch_stack[samples[nearest]]
    return replace(looks, stack=filled)


def _nearest(times: Array, wanted: Array) -> Array:
    """Index into sorted `times` of the one nearest to each wanted time."""
    after = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    found: Array = np.where(np.abs(times[before] - wanted) <= np.abs(times[after] - wanted), before, after)
    return found


def _family(stacks: Stacks, stack: int) -> int:
    """Which kind of wait a switch stack is, by the first telling name from the leaf on; -1 when none tells."""
    for frame in stacks.frames(stack):
        name = stacks.functions[frame.function].name
        for words, category in _FAMILIES:
            if any(word in name for word in words):
                return category
    return -1


def _python_callees(
    looks: Looks, native: NativeDetail, stacks: Stacks, native_threads: set[int]
) -> dict[int, list[tuple[str, float]]]:
    seen: dict[int, Counter[str | None]] = defaultdict(Counter)
    for thread in np.unique(native.cpu_thread).tolist():
        mine = np.flatnonzero((looks.thread == thread) & (looks.reason == "running") & (looks.stack >= 0))
        samples = np.flatnonzero(native.cpu_thread == thread)
        if thread in native_threads or len(mine) == 0:
            continue
        at = _nearest(looks.t_ns[mine], native.cpu_t[samples])
        close = np.abs(looks.t_ns[mine[at]] - native.cpu_t[samples]) <= CLOSE_NS
        for look, sample in zip(mine[at[close]].tolist(), samples[close].tolist(), strict=True):
            place = stacks.place(int(looks.stack[look]))
            if place:
                seen[place.function][_native_function(stacks, int(native.cpu_stack[sample]))] += 1
    return {function: _shares(counts) for function, counts in seen.items() if sum(counts.values()) >= FEWEST_PAIRS}


def _shares(counts: Counter[str | None]) -> list[tuple[str, float]]:
    total = sum(counts.values())
    return [(name, count / total) for name, count in counts.most_common() if name is not None]


def _native_function(stacks: Stacks, stack: int) -> str | None:
    """The native function that the interpreter had called; None while it was in its own code."""
    called = None
    for frame in stacks.frames(stack):
        function = stacks.functions[frame.function]
        binary = (function.binary or "").rsplit("/", 1)[-1]
        if binary.startswith(("libpython", "python")):
            break
        if function.kind == "native":
            home = binary.split(".cpython", 1)[0]
            called = home if function.name.startswith("[") else f"{function.name} ({home})"
    return called
