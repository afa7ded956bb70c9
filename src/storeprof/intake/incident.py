"""What the files of one incident are put into: the tables, the axis of time, and what is said of each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from storeprof.collect.tool_output import CutShort
from storeprof.intake.tables import Process, Tables

# Of looks, how often a function is there is counted by rows: few enough rows would give rare stacks too much weight.
MOST_ROWS: Final = {"looks": 1_000_000, "cpu_samples": 50_000}
NOMINAL_NS: Final = 10_000_000
LONGEST_NOMINAL_NS: Final = 10_000 * 1_000_000_000
SEED: Final = 1


@dataclass(slots=True)
class FileFacts:
    """What one file gave: figures by name, remarks, where it ended too early."""

    name: str
    format: str
    figures: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cut_short: CutShort | None = None

    def as_meta(self) -> dict[str, Any]:
        """As recording.json has it."""
        ended = f"it ends after line {self.cut_short.line}: {self.cut_short.lost}" if self.cut_short else None
        return {
            "file": self.name, "format": self.format, "figures": self.figures, "notes": self.notes, "cut_short": ended,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """How often a thread was seen with a stack, and doing what (`running`, or the reason of a wait)."""

    stack: int
    count: float
    reason: str = "running"


@dataclass(frozen=True, slots=True)
class _Scale:
    """How counts become rows: what one is worth, how long the axis is, which part of them get a row of their own."""

    unit_ns: float
    length_ns: float
    part: float
    table: str
    source: str


@dataclass(slots=True)
class Incident:
    """The recording in the making.

    `offset_ns`: where on the axis of time the next file begins; files come one after the other, whatever their clocks.
    `ordered`: whether all samples have times of their own.
    `time_known`: whether weights are time; `duration_known`: whether the length of the axis is.
    """

    tables: Tables
    offset_ns: int = 0
    time_known: bool = True
    duration_known: bool = True
    ordered: bool = True
    wall_samples: bool = False
    cpu_samples: bool = False
    cpus: int | None = None
    machine: dict[str, Any] = field(default_factory=dict)
    started_at: str | None = None
    files: list[FileFacts] = field(default_factory=list)
    cpu_sources: dict[int, str] = field(default_factory=dict)

    def takes_cpu_of(self, process: Process, source: str) -> bool:
        """Whether CPU samples of a process are taken from this kind of file: two kinds would count it twice."""
        if "wall" in process.sources and source != "wall":
            return False
        return self.cpu_sources.setdefault(process.proc_id, source) == source

    def lay_out(
        self, threads: Sequence[tuple[int, Sequence[Seen]]], unit_ns: float | None, *, table: str, source: str
    ) -> None:
        """Lay counted stacks out over time: each thread's evenly, in an order that chance chose.

        A merged tree has no order of time. By chance, what is on the stack all the time stays there and the rest comes
        and goes, as it would. `unit_ns` is what one count is worth; None where nobody knows: nominal then. Of many
        counts there are fewer rows, each worth more; every stack keeps its exact total.
        """
        totals = [sum(one.count for one in seen) for _, seen in threads]
        whole, longest = sum(totals), max(totals, default=0)
        if longest <= 0:
            return
        if unit_ns is None:
            unit_ns = min(NOMINAL_NS, LONGEST_NOMINAL_NS / longest)
            self.time_known = self.duration_known = False
        self.ordered = False
        length = longest * unit_ns
        random = np.random.default_rng(SEED)
        for (thread, seen), total in zip(threads, totals, strict=True):
            if total > 0:
                scale = _Scale(unit_ns, length, min(1.0, MOST_ROWS[table] / whole), table, source)
                self._lay_out_thread(thread, seen, random, scale)
        self.offset_ns += max(1, round(length))

    def _lay_out_thread(self, thread: int, seen: Sequence[Seen], random: np.random.Generator, scale: _Scale) -> None:
        kept = [one for one in seen if one.count > 0]
        rows = [max(1, round(one.count * scale.part)) for one in kept]
        which = np.repeat(np.arange(len(rows)), rows)
        step = scale.length_ns / len(which)
        source = self.tables.word(scale.source)
        marks = [self.tables.word(one.reason) if scale.table == "looks" else source for one in kept]
        left = [one.count * scale.unit_ns for one in kept]
        for at, row in enumerate(which[random.permutation(len(which))].tolist()):
            weight = max(1, round(left[row] / rows[row]))  # the last row of a stack has what rounding left
            left[row] -= weight
            rows[row] -= 1
            t_ns = self.offset_ns + int((at + 0.5) * step)
            self.tables.sample(scale.table, t_ns, thread, weight, kept[row].stack, marks[row])
