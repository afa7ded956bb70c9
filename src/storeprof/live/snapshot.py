"""The last seconds as figures: where wall time went, operations, threads with what each waits for, top functions.

The rules are the analysis's, on a window instead of a run: the kernel's totals are divided among looks, and a wait for
work, called from a thread's loop, is idle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from storeprof.analysis.accounting.charges import CATEGORIES, CATEGORY_OF_REASON, OTHER
from storeprof.analysis.accounting.idle import NATIVE_IDLE_CPU, WAITS_FOR_WORK
from storeprof.live.feed import WINDOW_NS, Feed, Look, ProcessFeed
from storeprof.live.names import LiveFrame

LOOP_SHARE = 0.95
_NOT_WAITING = ("running", "gil", "lock", "file-lock", "disk", "page-fault", "queue-put")


@dataclass(frozen=True, slots=True)
class Focus:
    """What the figures are narrowed to: an operation, or a thread (its tid); everything without either."""

    operation: str | None = None
    tid: int | None = None


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation: rate and percentiles (s), and where its busy wall time went (seconds by category)."""

    name: str
    per_s: float
    p50_s: float | None
    p99_s: float | None
    wall: dict[str, float]


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread: CPU share of one CPU, what it does now and where, and its busy wall time by category."""

    tid: int
    name: str
    pid: int
    cpu: float
    doing: str
    place: str
    wall: dict[str, float]


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A function with its CPU seconds: its own code's, and those of all it calls."""

    function: str
    file: str
    line: int
    own_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one screen shows; seconds and shares are of the last `seconds`."""

    seconds: float
    cpu: float
    wall: dict[str, float]
    operations: tuple[OperationRow, ...]
    threads: tuple[ThreadRow, ...]
    functions: tuple[FunctionRow, ...]
    rss_bytes: int | None
    rss_growth_per_min: float | None
    python: str | None


@dataclass
class _Sums:
    """Busy wall seconds by category; of everything, and by operation, with CPU seconds by function."""

    wall: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    by_operation: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    own: dict[LiveFrame, float] = field(default_factory=lambda: defaultdict(float))
    total: dict[str, float] = field(default_factory=lambda: defaultdict(float))


def take_snapshot(feed: Feed, now_ns: int, focus: Focus) -> Snapshot:
    """Sum up the window that ends at `now_ns`."""
    sums = _Sums()
    threads: list[ThreadRow] = []
    rates: dict[str, tuple[float, float | None, float | None]] = {}
    for process in feed.processes.values():
        for thread in list(process.names.threads):
            row = _thread(process, thread, now_ns, focus, sums)
            threads += [row] if row else []
        for name, rate in process.scopes.rates().items():
            before = rates.get(name, (0.0, None, None))
            rates[name] = (before[0] + rate.per_s, rate.p50_s or before[1], rate.p99_s or before[2])
    operations = [OperationRow(name, *rate, dict(sums.by_operation[name])) for name, rate in rates.items()]
    memory = [one.memory for one in feed.processes.values() if one.memory]
    first = next(iter(feed.processes.values()), None)
    return Snapshot(
        seconds=WINDOW_NS / 1e9,
        cpu=sum(row.cpu for row in threads),
        wall=dict(sums.wall),
        operations=tuple(operations),
        threads=tuple(threads),
        functions=tuple(_functions(sums)),
        rss_bytes=sum(rows[-1][1] for rows in memory) if memory else None,
        rss_growth_per_min=_growth(feed),
        python=first.about.get("python") if first else None,
    )


def _growth(feed: Feed) -> float | None:
    """Bytes a minute over what is kept; None in the first seconds."""
    grown = [
        (rows[-1][1] - rows[0][1]) / ((rows[-1][0] - rows[0][0]) / 60e9)
        for rows in (one.memory for one in feed.processes.values())
        if len(rows) > 1 and rows[-1][0] - rows[0][0] > WINDOW_NS
    ]
    return sum(grown) if grown else None


def _thread(process: ProcessFeed, thread: int, now_ns: int, focus: Focus, sums: _Sums) -> ThreadRow | None:
    about = process.names.threads[thread]
    looks = process.looks.get(thread)
    if not looks or "tid" not in about or "ended_ns" in about:
        return None
    run_s, delay_s = _kernel_s(process, thread, now_ns)
    wall: dict[str, float] = defaultdict(float)
    for look, category, seconds in _charged(process, list(looks), run_s, delay_s):
        operation = process.scopes.operation_of(look.record) if look.in_operation else None
        if operation:
            sums.by_operation[operation][category] += seconds
        wall[category] += seconds
        if (focus.operation or operation) != operation or (focus.tid or about["tid"]) != about["tid"]:
            continue
        sums.wall[category] += seconds
        if category == "cpu":
            _add_functions(process, look, seconds, sums)
    doing, place = _now(process, looks[-1])
    cpu = run_s / (WINDOW_NS / 1e9)
    return ThreadRow(about["tid"], about.get("name") or "?", process.pid or 0, cpu, doing, place, dict(wall))


def _add_functions(process: ProcessFeed, look: Look, seconds: float, sums: _Sums) -> None:
    place = process.names.place(look.stack)
    if place is None:
        return
    sums.own[place] += seconds
    for function in {frame.function for frame in process.names.frames(look.stack)}:
        sums.total[function] += seconds


def _functions(sums: _Sums) -> Iterator[FunctionRow]:
    """Functions by what their own code took, lines of one function together, each at its dearest line."""
    by_function: dict[str, list[tuple[float, LiveFrame]]] = defaultdict(list)
    for frame, seconds in sums.own.items():
        by_function[frame.function].append((seconds, frame))
    for function, parts in by_function.items():
        dearest = max(parts, key=lambda part: part[0])[1]
        yield FunctionRow(function, dearest.file, dearest.line, sum(part[0] for part in parts), sums.total[function])


def _kernel_s(process: ProcessFeed, thread: int, now_ns: int) -> tuple[float, float]:
    """Seconds on the CPU and in the run queue within the window, by the kernel's counters."""
    totals = process.totals.get(thread)
    if not totals or totals[-1].t_ns <= now_ns - WINDOW_NS:
        return 0.0, 0.0
    first, last = totals[0], totals[-1]
    part = min(1.0, WINDOW_NS / max(1, last.t_ns - first.t_ns))
    return (last.run_ns - first.run_ns) / 1e9 * part, (last.delay_ns - first.delay_ns) / 1e9 * part


def _charged(
    process: ProcessFeed, looks: list[Look], run_s: float, delay_s: float
) -> Iterator[tuple[Look, str, float]]:
    """Busy wall time of one thread: looks share what the kernel says it ran, queued and was blocked."""
    weight = {
        running: sum(one.weight_ns for one in looks if (one.reason == "running") is running)
        for running in (True, False)
    }
    seen_s = min(WINDOW_NS, looks[-1].t_ns - looks[0].t_ns + looks[0].weight_ns) / 1e9
    blocked_s = max(0.0, seen_s - run_s - delay_s)
    loops = _loop_functions(process, looks)
    for look in looks:
        if look.reason == "running":
            part = look.weight_ns / weight[True]
            yield look, "cpu", run_s * part
            if delay_s:
                yield look, "run_queue", delay_s * part
        elif not _is_idle(process, look, loops, run_s / max(seen_s, 1e-9)):
            category = CATEGORIES[CATEGORY_OF_REASON.get(look.reason, OTHER)]
            yield look, category, blocked_s * look.weight_ns / weight[False]


def _loop_functions(process: ProcessFeed, looks: list[Look]) -> frozenset[str]:
    """Functions on nearly all stacks of a thread while it does not wait for others; of all, when it only waits."""
    at_work = [look.stack for look in looks if look.reason in _NOT_WAITING]
    stacks = at_work or [look.stack for look in looks]
    counts: dict[int, int] = defaultdict(int)
    for stack in stacks:
        counts[stack] += 1
    present: dict[str, int] = defaultdict(int)
    for stack, count in counts.items():
        for function in {frame.function for frame in process.names.frames(stack)}:
            present[function] += count
    return frozenset(function for function, count in present.items() if count >= LOOP_SHARE * len(stacks))


def _is_idle(process: ProcessFeed, look: Look, loops: frozenset[str], cpu: float) -> bool:
    if look.reason not in WAITS_FOR_WORK or look.in_operation:
        return False
    place = process.names.place(look.stack)
    if place is None:
        return cpu < NATIVE_IDLE_CPU
    return place.library or place.function in loops


def _now(process: ProcessFeed, look: Look) -> tuple[str, str]:
    """What a thread does at its last look, and where."""
    place = process.names.place(look.stack)
    where = f"{place.function}:{place.line}" if place else ""
    doing = look.reason
    if look.reason == "gil" and look.holder in process.names.threads:
        doing = f"gil, held by {process.names.threads[look.holder].get('tid', '?')}"
    elif look.resource and look.reason != "running":
        doing = f"{look.reason} {look.resource.rsplit('/', 1)[-1]}"
    return doing, where
