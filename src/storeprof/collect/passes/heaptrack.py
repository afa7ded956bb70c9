"""heaptrack: every allocation of a native program, by stack; its file is read by heaptrack_print afterwards."""

from __future__ import annotations

from pathlib import Path

from storeprof.collect.collector import Availability, Context
from storeprof.collect.installing import installed
from storeprof.collect.linux.heaptrack_print import parse_heaptrack_print
from storeprof.collect.pass_tool import (
    Figure,
    PassOptions,
    PassResult,
    Reading,
    StartsCommand,
    Target,
    cut_short_notes,
    stack_of,
)

# Kinds of its sites, as they are called here; `allocated` repeats the peak with other counts.
_KINDS = {
    "peak": ("live at the peak", "heap"),
    "leak": ("never freed", "leaks"),
    "temporary": ("temporary", "heap"),
    "allocated": ("allocations", "heap"),
}


class Heaptrack(StartsCommand):
    """The collector `heaptrack`."""

    name = "heaptrack"
    collects = frozenset({"heap", "leaks"})
    own_processes = frozenset({"heaptrack", "heaptrack_interp", "sh", "bash", "cat", "tee"})
    adds = "native programs: live heap at its peak, leaks, temporary allocations and their number, by stack"
    costs = "0.2 to 0.6 microseconds for each allocation: 2 to 10 times slower"

    def available(self, context: Context) -> Availability:
        """Whether it is installed."""
        del context
        return installed("heaptrack")

    def unfit(self, target: Target) -> str | None:
        """It looks into native programs that use the C library's allocator."""
        if target.python is not None:
            return "Python allocates through its own allocator; memray sees into it"
        if target.sanitizer:
            return f"a program built with {target.sanitizer} has an allocator of its own"
        return super().unfit(target)

    def command(self, options: PassOptions) -> list[str]:
        """`heaptrack COMMAND`; it adds a suffix of its own to the file."""
        return ["heaptrack", "--output", str(options.output), *options.target.command]

    def readings(self, options: PassOptions) -> list[Reading]:
        """The report as text, a stack by itself: merged, the bytes of all stood at the first of them."""
        files = sorted(options.output.parent.glob(f"{options.output.name}.*z*"))
        read = ["heaptrack_print", "--merge-backtraces", "0", "--print-leaks", "1", "--file"]
        return [Reading([*read, str(file)], _report(options.output)) for file in files[:1]]

    def parse(self, output: Path) -> PassResult:
        """Bytes and numbers of allocations by stack."""
        with open(_report(output), encoding="utf-8", errors="replace") as lines:
            report = parse_heaptrack_print(lines)
        totals = (
            ("live at the peak, all", report.peak_bytes, "bytes", "heap"),
            ("allocations, all", report.allocations, "allocations", "heap"),
            ("temporary, all", report.temporary, "allocations", "heap"),
            ("never freed, all", report.leaked_bytes, "bytes", "leaks"),
        )
        figures = [
            Figure(name, float(value), unit, (), group) for name, value, unit, group in totals if value is not None
        ]
        for kind, (name, group) in _KINDS.items():
            by_bytes = kind in {"peak", "leak"}
            rows = [(site.bytes if by_bytes else site.count, site) for site in report.sites if site.kind == kind]
            known = [(value, site) for value, site in rows if value is not None]
            for value, site in sorted(known, key=lambda row: -row[0]):
                unit = "bytes" if by_bytes else "allocations"
                figures.append(Figure(name, float(value), unit, stack_of(site.frames), group))
        notes = ["heaptrack rounds bytes to three or four digits", *cut_short_notes(report.cut_short)]
        return PassResult(figures, notes)


def _report(output: Path) -> Path:
    return output.with_name(output.name + ".report")
