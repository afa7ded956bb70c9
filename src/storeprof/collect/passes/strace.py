"""strace -c: time in system calls, where neither perf nor bpftrace may look: the last resort.

With -w it is the time between entry and return that is summed, so waits are in it.
"""

from __future__ import annotations

from pathlib import Path

from storeprof.collect.collector import Availability, Context
from storeprof.collect.installing import installed
from storeprof.collect.linux.strace_counts import parse_strace_counts
from storeprof.collect.pass_tool import Figure, PassOptions, PassResult, StartsCommand, Target, cut_short_notes


class Strace(StartsCommand):
    """The collector `strace`."""

    name = "strace"
    collects = frozenset({"offcpu", "io"})
    follows_children = True
    own_processes = frozenset({"strace"})
    adds = "number of and time in each system call, waits included, without any privilege"
    costs = "some 8 microseconds for each system call, at which all is stopped: the last resort"

    def available(self, context: Context) -> Availability:
        """Whether it is installed."""
        del context
        return installed("strace")

    def unfit(self, target: Target) -> str | None:
        """It fits every program that is started; it stops a running one too much to attach to it."""
        if target.pid is not None:
            return "it would stop a running program at each of its system calls"
        if target.sanitizer:
            return f"a program built with {target.sanitizer} looks for leaks only untraced"
        return super().unfit(target)

    def command(self, options: PassOptions) -> list[str]:
        """`strace -c -w -f`: all threads and children, waits included."""
        return ["strace", "-c", "-w", "-f", "-o", str(options.output), "--", *options.target.command]

    def parse(self, output: Path) -> PassResult:
        """Seconds, calls and errors by system call."""
        with open(output, encoding="utf-8", errors="replace") as lines:
            table = parse_strace_counts(lines)
        figures = []
        for call in sorted(table.calls, key=lambda one: -one.seconds):
            figures.append(Figure(f"time in {call.name}", call.seconds, "s", (), "offcpu"))
            figures.append(Figure(f"calls of {call.name}", float(call.calls), "calls", (), "io"))
            if call.errors:
                figures.append(Figure(f"errors of {call.name}", float(call.errors), "calls", (), "io"))
        notes = ["stopped at each system call: the times are too long, their order holds"]
        return PassResult(figures, notes + cut_short_notes(table.cut_short))
