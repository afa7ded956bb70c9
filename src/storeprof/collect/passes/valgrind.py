"""valgrind: memcheck (leaks), massif (the heap at its peak), cachegrind (a simulated cache, and named so)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.installing import installed
from storeprof.collect.linux.cachegrind import EventCounts, parse_cachegrind
from storeprof.collect.linux.massif import parse_massif
from storeprof.collect.linux.valgrind_xml import parse_valgrind_xml
from storeprof.collect.pass_tool import (
    Figure,
    PassOptions,
    PassResult,
    StartsCommand,
    Target,
    cut_short_notes,
    stack_of,
)

QUIET: Final = ("valgrind", "--quiet", "--child-silent-after-fork=yes")
# Events of cachegrind that are misses of what: simulated instruction and data caches, first and last level.
_MISSES: Final = {
    "D1 misses": ("D1mr", "D1mw"),
    "LL data misses": ("DLmr", "DLmw"),
    "I1 misses": ("I1mr",),
    "LL instruction misses": ("ILmr",),
}


class _Valgrind(StartsCommand):
    """What the three share."""

    def available(self, context: Context) -> Availability:
        """Whether it is installed."""
        del context
        return installed("valgrind")

    def unfit(self, target: Target) -> str | None:
        """It runs native programs; a sanitizer's runtime does not start under it."""
        if target.python is not None:
            return "under valgrind Python is some 50 times slower, and its own allocator hides the program's"
        if target.sanitizer:
            return f"a program built with {target.sanitizer} does not start under valgrind"
        return super().unfit(target)


class Memcheck(_Valgrind):
    """The collector `memcheck`: what was never freed, and what nothing points at any more."""

    name = "memcheck"
    collects = frozenset({"leaks"})
    adds = "native programs: every block that was never freed, by the stack that allocated it"
    costs = "20 to 50 times slower, threads one at a time"

    def command(self, options: PassOptions) -> list[str]:
        """`valgrind --tool=memcheck` with a report in XML."""
        report = [
            "--xml=yes",
            f"--xml-file={options.output}",
            "--leak-check=full",
            "--show-leak-kinds=definite,possible",
        ]
        return [*QUIET, "--tool=memcheck", *report, "--num-callers=24", *options.target.command]

    def parse(self, output: Path) -> PassResult:
        """Bytes lost by stack."""
        with open(output, encoding="utf-8", errors="replace") as lines:
            report = parse_valgrind_xml(lines)
        sites = sorted(report.leaks, key=lambda site: -(site.bytes or 0))
        figures = [Figure("lost, all", float(sum(site.bytes or 0 for site in sites)), "bytes", (), "leaks")]
        for site in sites:
            figures.append(Figure(site.kind, float(site.bytes or 0), "bytes", stack_of(site.frames), "leaks"))
        notes = cut_short_notes(report.cut_short)
        if report.errors:
            notes.append(f"memcheck found {len(report.errors)} invalid uses of memory as well: see its own report")
        return PassResult(figures, notes)


class Massif(_Valgrind):
    """The collector `massif`: the heap at its peak, where heaptrack is not installed."""

    name = "massif"
    collects = frozenset({"heap"})
    adds = "native programs: the heap at its peak, by the stack that allocated it"
    costs = "10 to 20 times slower, threads one at a time"

    def command(self, options: PassOptions) -> list[str]:
        """`valgrind --tool=massif`."""
        return [*QUIET, "--tool=massif", f"--massif-out-file={options.output}", *options.target.command]

    def parse(self, output: Path) -> PassResult:
        """Bytes live at the peak by stack."""
        with open(output, encoding="utf-8", errors="replace") as lines:
            report = parse_massif(lines)
        figures = [Figure("live at the peak, all", float(report.peak_bytes), "bytes", (), "heap")]
        for site in sorted(report.peak, key=lambda one: -(one.bytes or 0)):
            figures.append(Figure("live at the peak", float(site.bytes or 0), "bytes", stack_of(site.frames), "heap"))
        return PassResult(figures, cut_short_notes(report.cut_short))


class Cachegrind(_Valgrind):
    """The collector `cachegrind`: stands in for hardware counters, as a simulation."""

    name = "cachegrind"
    collects = frozenset({"counters"})
    adds = "cache misses by function where the processor has no counters: a simulation of an ordinary cache"
    costs = "20 to 100 times slower, threads one at a time"

    def command(self, options: PassOptions) -> list[str]:
        """`valgrind --tool=cachegrind` with the cache simulated."""
        report = ["--cache-sim=yes", f"--cachegrind-out-file={options.output}"]
        return [*QUIET, "--tool=cachegrind", *report, *options.target.command]

    def parse(self, output: Path) -> PassResult:
        """Instructions, accesses and misses of the whole run; misses and instructions by function."""
        with open(output, encoding="utf-8", errors="replace") as lines:
            counts = parse_cachegrind(lines)
        figures = _totals(counts)
        for name, events in {**_MISSES, "instructions of": ("Ir",)}.items():
            rows = {place: _sum(counts, own, events) for place, own in counts.own.items()}
            for (function, file, _), value in sorted(rows.items(), key=lambda row: -row[1]):
                if value:
                    unit = "instructions" if events == ("Ir",) else "misses"
                    figures.append(Figure(name, float(value), unit, ((function, file, None),), "counters"))
        notes = ["simulated, not counted: an ordinary cache without prefetching, threads one at a time"]
        return PassResult(figures, notes + cut_short_notes(counts.cut_short))


def _totals(counts: EventCounts) -> list[Figure]:
    whole = list(counts.totals)
    accesses = _sum(counts, whole, ("Dr", "Dw"))
    figures = []
    for name, events in _MISSES.items():
        missed = _sum(counts, whole, events)
        figures.append(Figure(f"{name}, all", float(missed), "misses", (), "counters"))
        if name.startswith(("D1", "LL data")) and accesses:
            figures.append(Figure(f"{name} of data accesses", 100 * missed / accesses, "%", (), "counters"))
    figures.append(Figure("data accesses", float(accesses), "accesses", (), "counters"))
    figures.append(Figure("instructions", float(_sum(counts, whole, ("Ir",))), "instructions", (), "counters"))
    return figures


def _sum(counts: EventCounts, row: list[int], events: tuple[str, ...]) -> int:
    return sum(row[counts.events.index(event)] for event in events if event in counts.events)
