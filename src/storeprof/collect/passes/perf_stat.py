"""perf stat: the processor's counters where it has any a program may read, and the kernel's own.

Grammar of `perf stat -x,`: a comment line and a blank line, then a line for each event:
value (or `<not supported>`, `<not counted>`), unit, event, run time, percentage of it, metric value, metric unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.linux.perf import Perf
from storeprof.collect.pass_tool import Figure, PassOptions, PassResult, StartsCommand, Target
from storeprof.errors import CollectorError

SOFTWARE: Final = ("task-clock", "context-switches", "cpu-migrations", "minor-faults", "major-faults")
HARDWARE: Final = (
    "cycles:u", "instructions:u", "cache-references:u", "cache-misses:u", "branches:u", "branch-misses:u",
    "L1-dcache-load-misses:u", "LLC-load-misses:u", "dTLB-load-misses:u",
)  # fmt: skip
# (figure, numerator, denominator, factor)
_RATIOS: Final = (
    ("cache misses of references", "cache-misses:u", "cache-references:u", 100.0, "%"),
    ("branch misses of branches", "branch-misses:u", "branches:u", 100.0, "%"),
    ("instructions per cycle", "instructions:u", "cycles:u", 1.0, "per cycle"),
)
# Of the time that the program ran, a counter that had to share was counted; below this share it is only a guess.
ENOUGH_PERCENT: Final = 20.0


class PerfStat(StartsCommand):
    """The collector `perf-stat`."""

    name = "perf-stat"
    collects = frozenset({"counters"})
    follows_children = True
    own_processes = frozenset({"perf"})
    adds = "cycles, instructions, cache, branch and TLB misses, context switches, faults of the whole run, counted"
    costs = "nothing that can be measured"

    def available(self, context: Context) -> Availability:
        """Whether perf runs; virtual machines often have no processor's counters, then it is the kernel's own alone."""
        found = Perf().available(context)
        if not found.ok or "counters" in found.abilities:
            return found
        return Availability(
            True,
            "no hardware counters here (perf: <not supported>): context switches, migrations and faults only",
            "record on bare metal or a virtual machine with a PMU; for native programs cachegrind simulates a cache",
        )

    def unfit(self, target: Target) -> str | None:
        """It fits every program."""
        del target
        return None

    def command(self, options: PassOptions) -> list[str]:
        """`perf stat -x,` around COMMAND, or on a process for a time."""
        argv = ["perf", "stat", "-x,", "-o", str(options.output), "-e", ",".join([*SOFTWARE, *HARDWARE])]
        if options.pid is None:
            return [*argv, "--", *options.target.command]
        return [*argv, "-p", str(options.pid), "--timeout", str(round(1000 * (options.duration_s or 1)))]

    def parse(self, output: Path) -> PassResult:
        """Counts, and the ratios that people read first."""
        with open(output, encoding="utf-8", errors="replace") as lines:
            counts, notes = parse_perf_stat(lines)
        figures = []
        for name, above, below, factor, unit in _RATIOS:
            if above in counts and counts.get(below):
                figures.append(Figure(name, factor * counts[above] / counts[below], unit, (), "counters"))
        units = dict.fromkeys(counts, "events") | {"task-clock": "ms"}
        return PassResult(
            figures + [Figure(name, value, units[name], (), "counters") for name, value in counts.items()], notes
        )


def parse_perf_stat(lines: Iterable[str]) -> tuple[dict[str, float], list[str]]:
    """Counts by event, and notes on those that were not counted; CollectorError names the line it can't read."""
    counts: dict[str, float] = {}
    missing: list[str] = []
    without: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        if line.startswith("#") or not line.strip():
            continue
        fields = line.rstrip("\n").split(",")
        if not line.endswith("\n"):
            missing.append("the output was cut short")
            break
        if len(fields) < 5:
            raise CollectorError(f"perf stat's output, line {number}: can't be read: {line.strip()[:100]!r}")
        value, event, share = fields[0], fields[2], fields[4]
        if value.startswith("<not"):
            without.setdefault(value.strip("<>"), []).append(event)
            continue
        try:
            counts[event] = float(value)
            counted = float(share)
        except ValueError:
            raise CollectorError(f"perf stat's output, line {number}: {value[:40]!r} is no count") from None
        if not 0 <= counts[event] < 1e19:
            raise CollectorError(f"perf stat's output, line {number}: {value[:40]!r} is no count")
        if counted < ENOUGH_PERCENT:
            missing.append(f"{event}: counted {counted:.0f} % of the time only, and scaled")
    return counts, [f"{why}: {', '.join(events)}" for why, events in without.items()] + missing
