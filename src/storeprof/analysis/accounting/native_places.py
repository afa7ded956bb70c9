"""Native code: perf's stacks where looks have none, and which native functions Python functions spend their time in.

perf and looks are never paired sample by sample. For native threads perf's stacks divide the CPU time that the control
totals state. For Python threads only samples closer than 0.2 ms to a look say which native function a Python function
was in; together they estimate a share, no single pair is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import (
    CATEGORIES,
    CATEGORY_OF_CODE,
    CPU,
    DEPENDENCY,
    IO,
    LOCK,
    NETWORK,
    SLEEP,
    Charges,
    charges_of,
    concatenate,
)
from storeprof.analysis.accounting.looks import Looks, by_thread_and_time, index_of, read_thinned
from storeprof.analysis.accounting.sightings import Sightings, sightings
from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.imported.recording import imported
from storeprof.recording.model import Recording

Array = np.ndarray[Any, Any]

CLOSE_NS = 200_000
MOST_SAMPLES = 1_000_000
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
    (("pipe_read", "pipe_write", "eventfd"), DEPENDENCY),
    (("unix_stream", "tcp_", "udp_", "sock_", "inet_", "recv", "send", "accept", "connect", "poll", "select"), NETWORK),
    (("fsync", "fdatasync", "sync", "read", "write", "open", "rename", "unlink", "fault"), IO),
)
_PLACED_BY_SWITCHES = tuple(category for _, category in _FAMILIES)


@dataclass(frozen=True)
class NativeDetail:
    """perf's samples of the window, ordered by thread and time, and what they say of Python functions.

    `is_native`: per thread, whether its looks hardly ever have a stack. `native_threads`: those that perf sampled.
    `callees`: see `callees_of`.
    """

    cpu_t: Array
    cpu_thread: Array
    cpu_stack: Array
    switch_t: Array
    switch_thread: Array
    switch_stack: Array
    is_native: Array
    native_threads: frozenset[int] = frozenset()
    callees: dict[int, list[tuple[str, float]]] = field(default_factory=dict)

    def callees_of(self, function: int) -> list[tuple[str, float]]:
        """Native functions a Python function spends its CPU time in, with shares of it, largest first."""
        return self.callees.get(function, [])

    def sampled_stacks(self, thread: int, looks: Looks) -> Array:
        """Stacks of a thread in order of time: of its looks; a native thread's are perf's, and those of its waits."""
        mine = looks.of_thread(thread)
        if thread not in self.native_threads:
            return looks.stack[mine]
        first, last = np.searchsorted(self.cpu_thread, [thread, thread + 1])
        waits = np.flatnonzero(looks.stack[mine] >= 0) + mine.start
        order = np.argsort(np.concatenate([looks.t_ns[waits], self.cpu_t[first:last]]), kind="stable")
        return np.concatenate([looks.stack[waits], self.cpu_stack[first:last]])[order]

    def with_samples(self, looks: Looks, start_ns: int) -> Sightings:
        """The looks, and perf's samples of native threads: what the time of the program can be charged to."""
        mine = self.is_native[self.cpu_thread]
        return sightings(looks, self.cpu_t[mine], self.cpu_thread[mine], self.cpu_stack[mine], start_ns)


def load_native_detail(recording: Recording, looks: Looks, stacks: Stacks) -> NativeDetail:
    """Read perf's samples of the window, and learn from them what Python functions call; empty without perf."""
    if imported(recording):  # its CPU samples are its looks
        return without_samples(len(looks.thread_ids))
    cpu = _samples(recording, looks.thread_ids, "cpu_samples")
    switch = _samples(recording, looks.thread_ids, "(FROM switch_samples WHERE state <> 'R')")
    threads = len(looks.thread_ids)
    seen = np.bincount(looks.thread, minlength=threads)
    with_stack = np.bincount(looks.thread, weights=looks.stack >= 0, minlength=threads)
    is_native = (seen > 0) & (with_stack < NATIVE_THREAD * seen)
    sampled = frozenset(np.flatnonzero(is_native & (np.bincount(cpu[1], minlength=threads) > 0)).tolist())
    found = NativeDetail(*cpu, *switch, is_native, sampled)
    return replace(found, callees=_python_callees(looks, found, stacks))


def without_samples(threads: int) -> NativeDetail:
    """Of a recording without perf."""
    none = np.zeros(0, dtype=np.int64)
    return NativeDetail(*(none,) * 6, np.zeros(threads, dtype=bool))


def _samples(recording: Recording, thread_ids: Array, table: str) -> tuple[Array, Array, Array]:
    rows, _ = read_thinned(recording, "t_ns, thread_id, coalesce(stack_id, -1) AS stack_id", table, MOST_SAMPLES)
    thread = index_of(thread_ids, rows["thread_id"])
    thread[rows["stack_id"] < 0] = -1
    order = by_thread_and_time(thread, rows["t_ns"])
    order = order[np.count_nonzero(thread < 0) :]
    return rows["t_ns"][order], thread[order], rows["stack_id"][order]


def with_native_places(charges: Charges, native: NativeDetail) -> Charges:
    """Give the CPU time of native threads the places that perf saw; sums per thread and category stay."""
    if not native.native_threads:
        return charges
    sampled = np.isin(np.arange(len(native.is_native)), list(native.native_threads))
    of_looks = sampled[charges.thread] & (charges.category == CPU)
    return concatenate([charges.where(~of_looks), _spread(charges.where(of_looks))])


def _spread(rows: Charges) -> Charges:
    """Divide each thread's CPU time among its samples, second by second, so that its total stays the kernel's."""
    seen = rows.seen
    samples = seen.of_samples()
    start, thread = int(seen.t_ns.min()), seen.thread[samples]
    windows = int((seen.t_ns.max() - start) // WINDOW_NS) + 1
    threads = len(seen.looks.thread_ids)
    total = np.bincount(
        rows.thread * windows + (rows.t_ns - start) // WINDOW_NS, weights=rows.weight_ns, minlength=threads * windows
    )
    window = thread * windows + (seen.t_ns[samples] - start) // WINDOW_NS
    count = np.bincount(window, minlength=threads * windows)
    each = np.divide(total, count, out=np.zeros(len(total)), where=count > 0)
    unseen = np.where(count == 0, total, 0.0).reshape(threads, windows).sum(axis=1)
    left_over = np.divide(unseen, np.bincount(thread, minlength=threads), out=np.zeros(threads), where=unseen > 0)
    return charges_of(seen, samples, CPU, each[window] + left_over[thread])


def with_wait_stacks(looks: Looks, native: NativeDetail, stacks: Stacks) -> Looks:
    """Give each wait of a native thread the stack of the nearest switch of the same kind before or after it."""
    family = _per_stack(native.switch_stack, lambda stack: _family(stacks, stack))
    telling = np.flatnonzero(native.is_native[native.switch_thread] & (family >= 0))
    category = CATEGORY_OF_CODE[looks.reason_code]
    placeless = np.isin(category, _PLACED_BY_SWITCHES) & native.is_native[looks.thread] & (looks.stack < 0)
    waits = np.flatnonzero(placeless & ~looks.because("running"))
    if len(telling) == 0 or len(waits) == 0:
        return looks
    t_ns = looks.t_ns[waits]
    start = int(min(native.switch_t[telling].min(), t_ns.min()))
    length = int(max(native.switch_t[telling].max(), t_ns.max())) - start + 1

    def key(group: Array, t_ns: Array) -> Array:
        """Orders by group, then time; another group is further away than anything within one."""
        ordered: Array = group.astype(np.int64) * (2 * length) + (t_ns - start)
        return ordered

    group = native.switch_thread[telling].astype(np.int64) * len(CATEGORIES) + family[telling]
    order = np.argsort(key(group, native.switch_t[telling]), kind="stable")
    telling, group = telling[order], group[order]
    wanted = looks.thread[waits].astype(np.int64) * len(CATEGORIES) + category[waits]
    nearest = nearest_of(key(group, native.switch_t[telling]), key(wanted, t_ns))
    found = group[nearest] == wanted
    stack = looks.stack.copy()
    stack[waits[found]] = native.switch_stack[telling[nearest[found]]]
    return replace(looks, stack=stack)


def nearest_of(times: Array, wanted: Array) -> Array:
    """Index of the element of `times` (in order, not empty) that is nearest to each wanted time."""
    after = np.minimum(np.searchsorted(times, wanted), len(times) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(wanted - times.take(before)) <= np.abs(times.take(after) - wanted), before, after)


def _per_stack(stack: Array, answer: Callable[[int], int]) -> Array:
    """The answer for each stack, asked once per distinct one."""
    distinct = np.unique(stack)
    answers = np.array([answer(one) for one in distinct.tolist()], dtype=np.int64)
    return answers[np.searchsorted(distinct, stack)]


def _family(stacks: Stacks, stack: int) -> int:
    """Which kind of wait a switch stack is, by the first telling name from the leaf on; -1 when none tells."""
    for frame in stacks.frames(stack):
        category = _family_of_name(stacks.functions[frame.function].name)
        if category is not None:
            return category
    return -1


@cache
def _family_of_name(name: str) -> int | None:
    for words, category in _FAMILIES:
        if any(word in name for word in words):
            return category
    return None


def _python_callees(looks: Looks, native: NativeDetail, stacks: Stacks) -> dict[int, list[tuple[str, float]]]:
    """Per Python function the native functions seen within 0.2 ms of a look at it, with shares of all such samples."""
    look, sample = close_pairs(looks, native)
    functions = stacks.place_functions(looks.stack[look])
    names: dict[str | None, int] = {}
    called = _per_stack(
        native.cpu_stack[sample], lambda stack: names.setdefault(native_function(stacks, stack), len(names))
    )
    spelled = list(names)
    pairs, counts = np.unique(functions[functions >= 0] * len(names) + called[functions >= 0], return_counts=True)
    found: dict[int, list[tuple[str | None, int]]] = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        found.setdefault(pair // len(names), []).append((spelled[pair % len(names)], count))
    shares = {function: _shares(rows) for function, rows in found.items()}
    return {function: rows for function, rows in shares.items() if rows is not None}


def close_pairs(looks: Looks, native: NativeDetail) -> tuple[Array, Array]:
    """Looks at running Python code and samples of the same thread that are close in time (indices of both)."""
    usable = looks.because("running") & (looks.stack >= 0) & ~looks.gc  # the place of a collection is chance
    pairs = [(np.array([], dtype=np.int64),) * 2]
    for thread in np.unique(native.cpu_thread).tolist():
        mine = np.flatnonzero(usable[looks.of_thread(thread)]) + looks.of_thread(thread).start
        if native.is_native[thread] or len(mine) == 0:
            continue
        samples = np.arange(*np.searchsorted(native.cpu_thread, [thread, thread + 1]))
        nearest = mine[nearest_of(looks.t_ns[mine], native.cpu_t[samples])]
        close = np.abs(looks.t_ns[nearest] - native.cpu_t[samples]) <= CLOSE_NS
        pairs.append((nearest[close], samples[close]))
    look, sample = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return look, sample


def sampled_just_before(looks: Looks, native: NativeDetail) -> Array:
    """Mask of the looks that perf saw the thread on a CPU less than 0.2 ms before.

    (A sample just after a look says less: a thread in the queue gets its CPU then.)
    """
    found = np.zeros(len(looks), dtype=bool)
    for thread in np.unique(native.cpu_thread).tolist():
        mine = looks.of_thread(thread)
        times = native.cpu_t[slice(*np.searchsorted(native.cpu_thread, [thread, thread + 1]))]
        last = np.searchsorted(times, looks.t_ns[mine], side="right") - 1
        found[mine] = (last >= 0) & (looks.t_ns[mine] - times[np.maximum(last, 0)] <= CLOSE_NS)
    return found


def _shares(counts: list[tuple[str | None, int]]) -> list[tuple[str, float]] | None:
    """Shares by name, largest first; None where too few samples say anything."""
    total = sum(count for _, count in counts)
    if total < FEWEST_PAIRS:
        return None
    ranked = sorted(counts, key=lambda row: -row[1])
    return [(name, count / total) for name, count in ranked if name is not None]


def native_function(stacks: Stacks, stack: int) -> str | None:
    """The native function that the interpreter had called; None while it was in its own code."""
    called = None
    for frame in stacks.frames(stack):
        function = stacks.functions[frame.function]
        binary = (function.binary or "").rsplit("/", 1)[-1]
        if binary.startswith(("libpython", "python")):
            break
        if function.kind == "native" and not binary.startswith("_allocation_hook"):
            home = binary.split(".cpython", 1)[0]
            called = home if function.name.startswith("[") else f"{function.name} ({home})"
    return called
