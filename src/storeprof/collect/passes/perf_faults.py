"""perf record on page faults: how many there are, and which function touches the page, each fault counted.

The timing run counts faults by thread, and samples what they cost; here each one has its stack.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.linux.perf import Perf
from storeprof.collect.linux.perf_samples import PerfFile, read_perf_samples
from storeprof.collect.pass_tool import (
    Figure,
    PassOptions,
    PassResult,
    Reading,
    StartsCommand,
    Target,
    cut_short_notes,
)
from storeprof.collect.tool_output import Frame

_KINDS: Final = {"minor-faults": "page faults", "major-faults": "page faults from disk"}
# Stacks by frame pointer: with copies of the stack perf lost two of three faults of a loop that does nothing else.
# perf stops at this size: some two million faults.
MAX_DATA: Final = "200M"
# Share of stacks that break off from which on it is said: what the loader does before main always does.
MANY: Final = 0.1


class PerfFaults(StartsCommand):
    """The collector `perf-faults`."""

    name = "perf-faults"
    collects = frozenset({"faults"})
    follows_children = True
    own_processes = frozenset({"perf"})
    adds = "every page fault, by the function that touches the page; those that wait for the disk apart"
    costs = "one or two microseconds for each page fault"

    def available(self, context: Context) -> Availability:
        """Whether perf may look at processes of one's own."""
        found = Perf().available(context)
        return Availability(True) if found.ok else found

    def unfit(self, target: Target) -> str | None:
        """It fits every program, and those that run already."""
        del target
        return None

    def command(self, options: PassOptions) -> list[str]:
        """`perf record` of each fault with its stack by frame pointer, user space only."""
        argv = ["perf", "record", "-q", "-o", str(options.output), "-e", ",".join(f"{kind}:u" for kind in _KINDS)]
        argv += ["-c", "1", "--call-graph", "fp", "--max-size", MAX_DATA]
        if options.pid is None:
            return [*argv, "--", *options.target.command]
        return [*argv, "-p", str(options.pid), "--", "sleep", str(options.duration_s or 1)]

    def readings(self, options: PassOptions) -> list[Reading]:
        """Its text."""
        fields = "comm,pid,tid,time,event,ip,sym,dso"
        return [
            Reading(
                ["perf", "script", "--show-lost-events", "--no-inline", "-i", str(options.output), "-F", fields],
                _text(options.output),
            )
        ]

    def parse(self, output: Path) -> PassResult:
        """Faults of all, and by stack, the most first."""
        counts: dict[str, Counter[tuple[Frame, ...]]] = {name: Counter() for name in _KINDS.values()}
        file = PerfFile()
        broken = 0
        with open(_text(output), encoding="utf-8", errors="replace") as lines:
            for one in read_perf_samples(lines, file):
                counts.get(_KINDS.get(one.event, ""), Counter())[one.frames] += 1
                broken += one.broken
        figures = []
        for name, stacks in counts.items():
            figures.append(Figure(f"{name}, all", float(stacks.total()), "faults", (), "faults"))
            for frames, count in stacks.most_common():
                if frames:
                    stack = tuple((frame.function, _library(frame), None) for frame in frames)
                    figures.append(Figure(name, float(count), "faults", stack, "faults"))
        notes = cut_short_notes(file.cut_short)
        if "size limit reached" in _said(output):
            notes.append("perf stopped when its file was full: the counts are of the first part of the run")
        if file.lost:
            notes.append(f"perf lost {file.lost} samples: counts are too low")
        if broken > MANY * sum(stacks.total() for stacks in counts.values()):
            notes.append(f"{broken} stacks break off: their callers are missing")
        return PassResult(figures, notes)


def _library(frame: Frame) -> str | None:
    """The library that a frame lies in; the program itself is nothing to say of its own functions."""
    return frame.image if frame.image and ".so" in frame.image else None


def _said(output: Path) -> str:
    try:
        return output.with_name(output.name + ".said").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _text(output: Path) -> Path:
    return output.with_name(output.name + ".txt")
