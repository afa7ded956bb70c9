"""cache-misses: CPU time in which a function waits for memory, estimated from counted or simulated misses.

Misses come from a pass of its own (`--collect counters`): from the processor's counters, or by function from
cachegrind, a simulation. What a miss costs is not measured, so the finding is never more than a hotspot: cycles are
estimated as KCachegrind does, instructions + 10 for a miss of the first level + 100 for one of the last (Weidendorfer,
"Sequential performance analysis with Callgrind and KCachegrind", 2008), and the interval spans half to twice these
prices. Only their ratio to a function's instructions is taken from the simulation: how much of the time a function
has, the run says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import ON_CPU
from storeprof.analysis.accounting.parts import split_rows
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, collector_row
from storeprof.analysis.finding import HOTSPOT, Finding, Where
from storeprof.analysis.gain import impact
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.kinds.waits import place_of

Array = np.ndarray[Any, Any]

KIND = "cache-misses"
FIRST_LEVEL_CYCLES, LAST_LEVEL_CYCLES = 10.0, 100.0
COUNTED_CYCLES = 150.0  # a miss of the last level on a processor of today: 60 to 100 ns
DOUBT = 2.0
MOST = 4


Row = tuple[str, str | None, str | None, float]


@dataclass(frozen=True)
class Stall:
    """Part (0 to 1) of a function's CPU time that waits for memory; of the whole program's without a function.

    `told`: its misses in words.
    """

    function: str | None
    part: Estimate
    told: str


def find(context: Context) -> list[Finding]:
    """Functions of the program that wait for memory for at least a hotspot's share of the CPU time."""
    if not context.recording.meta.get("passes"):
        return []
    figures = context.recording.sql(
        "SELECT collector, figure, function, file, sum(value) AS value FROM pass_figures "
        "WHERE collects = 'counters' GROUP BY ALL"
    )
    known: dict[str, list[Row]] = {}
    columns = (np.ma.asarray(figures[name]).tolist() for name in figures)
    for collector, figure, function, file, value in zip(*columns, strict=True):
        known.setdefault(collector, []).append((figure, function, file, float(value)))
    stalls = _simulated(known.get("cachegrind", [])) or _counted(known.get("perf-stat", []))
    found = [(one, _mask(context, one)) for one in stalls]
    findings = [_finding(context, one, mask) for one, mask in found if mask.any()]
    least = context.settings.hotspot_share
    return sorted(
        (one for one in findings if one.share and one.share.value >= least), key=lambda one: -one.wall_share.value
    )[:MOST]


def _simulated(rows: list[Row]) -> list[Stall]:
    """Stalls by function from cachegrind's figures."""
    places: dict[str, dict[str, float]] = {}
    for figure, function, _, value in rows:
        if function is not None:
            own = places.setdefault(_plain(function), {})
            own[figure] = own.get(figure, 0.0) + value
    stalls = []
    for function, own in places.items():
        first, last = own.get("D1 misses", 0.0), own.get("LL data misses", 0.0)
        cycles = FIRST_LEVEL_CYCLES * first + LAST_LEVEL_CYCLES * last
        instructions = own.get("instructions of", 0.0)
        if cycles > 0 and instructions > 0:
            prices = (1.0, 1.0 / DOUBT, DOUBT)
            part = Estimate(*(price * cycles / (instructions + price * cycles) for price in prices))
            told = f"{first:,.0f} misses of the first level and {last:,.0f} of the last, simulated by cachegrind"
            stalls.append(Stall(function, part, told))
    return stalls


def _counted(rows: list[Row]) -> list[Stall]:
    """The stall of the whole program, from the processor's counters."""
    whole = {figure: value for figure, _, _, value in rows}
    misses, cycles = whole.get("cache-misses:u"), whole.get("cycles:u")
    if not misses or not cycles:
        return []
    part = Estimate(*(min(1.0, misses * COUNTED_CYCLES * price / cycles) for price in (1.0, 1.0 / DOUBT, DOUBT)))
    return [Stall(None, part, f"{misses:,.0f} cache misses in {cycles:,.0f} cycles, counted by perf stat")]


def _mask(context: Context, stall: Stall) -> Array:
    """CPU time of the function that the simulation means; libraries' is that of whoever calls them, and left out."""
    on_cpu: Array = np.isin(context.busy.category, ON_CPU)
    if stall.function is None:
        return on_cpu
    functions = context.stacks.functions
    same = [key for key, one in enumerate(functions) if not one.library and _plain(one.name) == stall.function]
    return on_cpu & np.isin(context.function, same) if same else np.zeros(len(on_cpu), dtype=bool)


def _plain(name: str) -> str:
    """A name without parameters, which the simulation writes and perf leaves out."""
    return name.split("(", maxsplit=1)[0] if not name.startswith("(") else name


def _finding(context: Context, stall: Stall, mask: Array) -> Finding:
    rows, of_cpu, of_wall = context.busy.where(mask), context.share_of_cpu(mask), context.share_of_busy(mask)
    split, stalled = split_rows(context, np.where(mask, stall.part.value, 0.0))
    where = Where(None)
    if stall.function is not None:
        where = place_of(context, rows)
    what = where.function or "the program"
    share = _times(of_cpu, stall.part)
    return Finding(
        kind=KIND,
        where=where,
        share=share,
        share_of="cpu",
        wall_share=_times(of_wall, stall.part),
        impact=replace(impact(split, stalled), method="amdahl, on an estimate of what misses cost"),
        at_most=HOTSPOT,
        lines=describe.lines(context.stacks, rows),
        call_paths=describe.call_paths(context.stacks, rows),
        effort="module",
        evidence=(
            f"{stall.told}: {stall.part.value:.0%} of its time, {stall.part.low:.0%} to {stall.part.high:.0%} at half "
            "to twice the usual price of a miss",
        ),
        recommendation=(
            f"let {what} touch memory in order and less of it: arrays instead of nodes and pointers, fields that are "
            "read together side by side, blocks that fit the cache"
        ),
    )


def _times(share: Estimate, part: Estimate) -> Estimate:
    return Estimate(share.value * part.value, share.low * part.low, share.high * part.high)


def _misses_counted(context: Context) -> bool:
    """Whether perf stat had the processor's counters, and not the kernel's alone."""
    rows = context.recording.sql("SELECT 1 AS n FROM pass_figures WHERE figure = 'cache-misses:u' LIMIT 1")
    return len(rows["n"]) > 0


def cover(context: Context) -> Covered:
    """Checked where a pass counted or simulated misses; else why not, and how to."""
    for made in context.recording.meta.get("passes") or []:
        simulated = made["collector"] == "cachegrind"
        if made["ran"] and "counters" in made["collects"] and (simulated or _misses_counted(context)):
            why = "simulated, not counted: an ordinary cache without prefetching" if simulated else None
            remedy = "record where the processor's counters can be read" if simulated else None
            return Covered(KIND, True, f"{made['collector']} in {made['pass']}", why, remedy)
    row = collector_row(context, "perf") or {}
    if "counters" in row.get("abilities", ()):
        return Covered(KIND, False, None, "the processor's counters were not read", "record with --collect counters")
    if row.get("ran"):
        return Covered(
            KIND,
            False,
            None,
            "no hardware counters (perf: <not supported>)",
            "record on bare metal or a virtual machine with a PMU; or simulate, native programs, some 50 times slower: "
            "record --collect counters (cachegrind)",
        )
    reason = f"perf did not run: {row.get('reason') or 'it was not asked to'}"
    return Covered(KIND, False, None, reason, str(row.get("remedy") or "record without --no-perf"))
