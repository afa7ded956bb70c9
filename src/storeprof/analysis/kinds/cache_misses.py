"""cache-misses: told from a processor's counters, where there are any.

Not found in this version: none of the machines it was made on has counters a program may read, and a rule that was
never tried on real ones would be a guess.
"""

from __future__ import annotations

from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, collector_row
from storeprof.analysis.finding import Finding

KIND = "cache-misses"


def find(context: Context) -> list[Finding]:
    """Nothing; see `cover`."""
    del context
    return []


def cover(context: Context) -> Covered:
    """Never checked; the reason is the machine's where it has no counters, else this version's."""
    row = collector_row(context, "perf") or {}
    for made in context.recording.meta.get("passes") or []:
        if made["ran"] and "counters" in made["collects"]:
            reason = f"counted by {made['collector']} in {made['pass']}, and not judged in this version"
            return Covered(KIND, False, made["collector"], reason, "read the figures of that pass")
    if "counters" in row.get("abilities", ()):
        reason = "the processor's counters are not judged in this version"
        remedy = "`perf stat -e cycles,instructions,cache-misses -p PID` beside the program"
    elif row.get("ran"):
        reason = "no hardware counters (perf: <not supported>)"
        remedy = (
            "record on bare metal or a virtual machine with a PMU; or simulate: valgrind --tool=cachegrind COMMAND, "
            "some 50 times slower"
        )
    else:
        reason = f"perf did not run: {row.get('reason') or 'it was not asked to'}"
        remedy = str(row.get("remedy") or "record without --no-perf")
    return Covered(KIND, False, None, reason, remedy)
