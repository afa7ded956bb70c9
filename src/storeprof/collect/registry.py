"""The one list of collectors: what each is for, whether it can run here, and which fits a program."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from storeprof.collect.collector import Availability, Context
from storeprof.collect.counted_process import CallCounts
from storeprof.collect.linux.perf import Perf
from storeprof.collect.macos.dtrace import Dtrace
from storeprof.collect.macos.heap import Heap
from storeprof.collect.macos.leaks import Leaks
from storeprof.collect.macos.malloc_history import MallocHistoryTool
from storeprof.collect.macos.sample import Sample
from storeprof.collect.macos.vmmap import Vmmap
from storeprof.collect.macos.xctrace import Xctrace
from storeprof.collect.pass_tool import GROUPS, PassTool, Target
from storeprof.collect.passes.bpftrace import Bpftrace, BpftraceEntries
from storeprof.collect.passes.gprof import Gprof
from storeprof.collect.passes.heaptrack import Heaptrack
from storeprof.collect.passes.leak_sanitizer import LeakSanitizer
from storeprof.collect.passes.memray import Memray
from storeprof.collect.passes.perf_faults import PerfFaults
from storeprof.collect.passes.perf_stat import PerfStat
from storeprof.collect.passes.strace import Strace
from storeprof.collect.passes.valgrind import Cachegrind, Massif, Memcheck
from storeprof.collect.py_spy import PySpy

System = Literal["linux", "macos"]


class AnyCollector(Protocol):
    """What the registry asks of a collector; `command` and `parse` have options and outputs of their own."""

    name: str

    def available(self, context: Context) -> Availability:
        """Whether it can run here."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """A collector and what people want to know of it.

    `when`: `recording` (beside the program in the timing run) or `pass` (a run of its own). `tool`: the same collector
    where it can make a pass.
    """

    collector: AnyCollector
    system: System
    groups: frozenset[str]
    when: Literal["recording", "pass"]
    adds: str
    costs: str
    tool: PassTool | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The tool for a pass and the groups it fills; without a tool, why there is none and what would help."""

    groups: tuple[str, ...]
    tool: PassTool | None
    reason: str | None = None
    remedy: str | None = None


PASS_TOOLS: Final[tuple[PassTool, ...]] = (
    Bpftrace(), BpftraceEntries(), Memray(), Heaptrack(), Memcheck(), Massif(), PerfStat(), PerfFaults(), Cachegrind(),
    Gprof(), LeakSanitizer(), Strace(),
)  # fmt: skip
# For each group the tools that fill it, the best first.
PREFERENCE: Final = {
    "cpu": ("gprof",),
    "offcpu": ("bpftrace", "strace"),
    "io": ("bpftrace", "strace"),
    "heap": ("memray", "heaptrack", "massif"),
    "leaks": ("leak-sanitizer", "memray", "memcheck", "heaptrack"),
    "counters": ("perf-stat", "cachegrind"),
    "faults": ("perf-faults",),
    "entries": ("bpftrace-entries",),
}
# Where it can do a part only, the next one is asked for the rest.
_IN_PART: Final = frozenset({"perf-stat"})
# They read what a special build writes: that others were not built so says nothing of why nobody can help.
_OF_BUILDS: Final = frozenset({"gprof", "leak-sanitizer"})
# Filled by the timing run itself; of these a pass is no more than an addition.
RECORDED: Final = frozenset({"cpu", "memory"})


def registered() -> list[Registered]:
    """Every collector, those of the timing run first."""
    beside: list[tuple[Any, frozenset[str], str, str]] = [
        (Perf(), frozenset({"cpu", "offcpu"}), "native stacks on the CPU, and of waits where tracepoints may be read",
         "20 microseconds for each of 199 samples a second and CPU"),
        (PySpy(), frozenset({"cpu"}), "Python stacks of 3.10 and older, 3.14 and later, which the observer can't read",
         "0.2 to 0.5 % of a CPU"),
        (CallCounts(), frozenset({"io"}), "fsyncs and system calls to the last one, for work per operation and gates",
         "40 nanoseconds for each system call"),
    ]  # fmt: skip
    rows = [Registered(one, "linux", groups, "recording", adds, costs) for one, groups, adds, costs in beside]
    rows += [Registered(one, "linux", one.collects, "pass", one.adds, one.costs, one) for one in PASS_TOOLS]
    return rows + _of_macos()


def _of_macos() -> list[Registered]:
    """Run by scripts/profile_on_macos.sh, or by hand, one after the other; read by `storeprof import`."""
    rows: list[tuple[AnyCollector, set[str], str, str]] = [
        (Sample(), {"cpu", "offcpu"}, "stacks of every thread; waits are told by their innermost symbols",
         "every thread is stopped for each look, a thousand times a second"),
        (Xctrace(), {"cpu", "heap", "leaks", "counters"},
         "Instruments: Time Profiler, Allocations, Leaks, CPU Counters",
         "Allocations and Leaks note every allocation with its stack"),
        (Dtrace(), {"entries", "io", "cpu"}, "function entries, user stacks, latency of system calls and disks",
         "a probe at each call of the functions named"),
        (Heap(), {"heap"}, "live objects by class and size", "stops the program while it looks"),
        (Vmmap(), {"memory"}, "the address-space map, malloc zones and their fragmentation",
         "stops the program while it looks"),
        (Leaks(), {"leaks"}, "memory that nothing points at any more", "stops the program while it looks"),
        (MallocHistoryTool(), {"heap"}, "who allocated what is alive, exact to the byte",
         "MallocStackLogging=1 keeps a stack for every allocation"),
    ]  # fmt: skip
    return [Registered(one, "macos", frozenset(groups), "pass", adds, costs) for one, groups, adds, costs in rows]


def pass_tool(name: str) -> PassTool:
    """A tool for passes by its name."""
    return next(one for one in PASS_TOOLS if one.name == name)


def choose(groups: Iterable[str], target: Target) -> list[Choice]:
    """The passes that fill groups for a program, each tool once, in the order of the report.

    A group whose tools all refuse gets a choice without a tool, except where the timing run fills it anyway. A tool
    that fills it in part has the reason beside it, and the next one runs as well.
    """
    wanted = [group for group in GROUPS if group in set(groups) and group in PREFERENCE]
    context = Context(target_pid=target.pid, python=target.python.interpreter[0] if target.python else None)
    asked: dict[str, Availability] = {}
    filled: dict[str, list[str]] = {}
    missing: dict[str, str] = {}
    choices: list[Choice] = []
    for group in wanted:
        refusals: list[tuple[str, str, str | None]] = []
        for name in PREFERENCE[group]:
            tool = pass_tool(name)
            unfit = tool.unfit(target)
            if unfit:
                refusals.append((name, unfit, None))
                continue
            found = asked.setdefault(name, tool.available(context))
            in_part = found.ok and name in _IN_PART and found.reason is not None
            if found.ok:
                filled.setdefault(name, []).append(group)
                missing[name] = f"{found.reason}; {found.remedy}" if in_part else _instead(refusals)
            if found.ok and not in_part:
                break
            refusals.append((name, found.reason or "it can't run here", found.remedy))
        else:
            if group not in RECORDED and not any(group in groups for groups in filled.values()):
                choices.append(_refused(group, refusals))
    made = [Choice(tuple(done), pass_tool(name), missing[name] or None) for name, done in filled.items()]
    return made + choices


def _instead(refusals: list[tuple[str, str, str | None]]) -> str:
    return "; ".join(f"stands in for {name} ({reason}; {remedy})" for name, reason, remedy in refusals if remedy)


def _refused(group: str, refusals: list[tuple[str, str, str | None]]) -> Choice:
    """Where a tool fits and is not available, that is what helps; else why none fits."""
    general = [row for row in refusals if row[0] not in _OF_BUILDS] or refusals
    fitting = [row for row in refusals if row[2]] or general
    by_reason: dict[str, list[str]] = {}
    for name, why, _ in fitting:
        by_reason.setdefault(why, []).append(name)
    reason = "; ".join(f"{', '.join(names)}: {why}" for why, names in by_reason.items())
    remedies = [remedy for _, _, remedy in fitting if remedy]
    return Choice((group,), None, reason, " or ".join(remedies) if remedies else None)


def this_system() -> System:
    """The system that storeprof runs on."""
    return "macos" if sys.platform == "darwin" else "linux"
