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

from storeprof.analysis.charges import CPU, DEPENDENCY, EMPTY, IO, LOCK, SLEEP, Charges, concatenate
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
    """perf's samples of the window, ordered by thread and time, and what they say of Python functions.

    `replaced`: the rows of looks in whose place samples stand; looks alone know the operation they fell into.
    """

    cpu_t: Array
    cpu_thread: Array
    cpu_stack: Array
    switch_t: Array
    switch_thread: Array
    switch_stack: Array
    replaced: Charges
    native_threads: set[int] = field(default_factory=set)
    callees: dict[int, list[tuple[str, float]]] = field(default_factory=dict)

    def callees_of(self, function: int) -> list[tuple[str, float]]:
        """Native functions a Python function spends its CPU time in, with shares of it, largest first."""
        return self.callees.get(function, [])

    def sampled_stacks(self, thread: int, looks: Looks) -> Array:
        """Stacks of a thread in order of time: of its looks, or perf's samples of a native thread."""
        native = thread in self.native_threads
        found: Array = self.cpu_stack[self.cpu_thread == thread] if native else looks.stack[looks.thread == thread]
        return found


def load_native_detail(recording: Recording, thread_ids: Array) -> NativeDetail:
    """Read perf's samples of the window; empty where perf could not run."""
    start, end = recording.window
    cpu = _samples(recording, "SELECT t_ns, thread_id, stack_id FROM cpu_samples", start, end, thread_ids)
    switch = _samples(
        recording,
        "SELECT t_ns, thread_id, stack_id FROM switch_samples WHERE state <> 'R'",
        start,
        end,
        thread_ids,
    )
    return NativeDetail(*cpu, *switch, EMPTY)


def _samples(recording: Recording, query: str, start: int, end: int, thread_ids: Array) -> tuple[Array, Array, Array]:
    rows = recording.sql(f"SELECT * FROM ({query}) WHERE t_ns BETWEEN ? AND ? AND stack_id IS NOT NULL", [start, end])
    thread = index_of(thread_ids, rows["thread_id"])
    order = np.lexsort((rows["t_ns"], thread))
    return rows["t_ns"][order], thread[order], rows["stack_id"][order]


def with_native_places(
    charges: Charges, looks: Looks, native: NativeDetail, stacks: Stacks
) -> tuple[Charges, NativeDetail]:
    """Give native threads the places that perf saw; also learn what Python functions call.

    Returns the charges with stacks filled in (sums per thread and category unchanged) and the detail completed.
    """
    threads = _native_threads(looks)
    sampled = sorted(threads & set(native.cpu_thread.tolist()))
    kept, replaced = np.ones(len(charges.t_ns), dtype=bool), []
    for thread in sampled:
        cpu = (charges.thread == thread) & (charges.category == CPU)
        kept &= ~cpu
        replaced.append(_spread(charges.where(cpu), native, thread))
    whole = concatenate([charges.where(kept), *replaced]) if replaced else charges
    of_looks = charges.where(~kept)
    for thread in sorted(threads & set(native.switch_thread.tolist())):
        whole = _place_waits(whole, native, thread, stacks)
    callees = _python_callees(looks, native, stacks, threads)
    return whole, replace(native, replaced=of_looks, native_threads=set(sampled), callees=callees)


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


def _place_waits(charges: Charges, native: NativeDetail, thread: int, stacks: Stacks) -> Charges:
    """Give each wait of a native thread the stack of the nearest switch of the same kind before or after it."""
    mine = np.flatnonzero(native.switch_thread == thread)
    family = np.array([_family(stacks, int(stack)) for stack in native.switch_stack[mine]])
    filled = charges.stack.copy()
    for category in np.unique(charges.category).tolist():
        samples = mine[family == category]
        rows = np.flatnonzero((charges.thread == thread) & (charges.category == category) & (charges.stack < 0))
        if category == CPU or len(samples) == 0 or len(rows) == 0:
            continue
        after = np.clip(np.searchsorted(native.switch_t[samples], charges.t_ns[rows]), 0, len(samples) - 1)
        before = np.clip(after - 1, 0, len(samples) - 1)
        nearer = np.abs(native.switch_t[samples[before]] - charges.t_ns[rows]) <= np.abs(
            native.switch_t[samples[after]] - charges.t_ns[rows]
        )
        filled[rows] = native.switch_stack[samples[np.where(nearer, before, after)]]
    return replace(charges, stack=filled)


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
        at = np.clip(np.searchsorted(looks.t_ns[mine], native.cpu_t[samples]), 0, len(mine) - 1)
        at = np.where(
            (at > 0)
            & (
                np.abs(looks.t_ns[mine[at - 1]] - native.cpu_t[samples])
                < np.abs(looks.t_ns[mine[at]] - native.cpu_t[samples])
            ),
            at - 1,
            at,
        )
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
