"""gprof: what a program built with -pg writes at its end; flat profile and call graph."""

from __future__ import annotations

from pathlib import Path

from storeprof.collect.collector import Availability, Context
from storeprof.collect.installing import installed
from storeprof.collect.linux.gprof import parse_gprof
from storeprof.collect.pass_tool import Figure, PassOptions, PassResult, Reading, StartsCommand, Target, cut_short_notes


class Gprof(StartsCommand):
    """The collector `gprof`."""

    name = "gprof"
    collects = frozenset({"cpu"})
    adds = "programs built with -pg: exact numbers of calls, and CPU time by function (100 samples a second)"
    costs = "a count for each call: 1.1 to 2 times slower, in every run of such a build"

    def available(self, context: Context) -> Availability:
        """Whether gprof is installed."""
        del context
        return installed("gprof")

    def unfit(self, target: Target) -> str | None:
        """It reads what builds with -pg write."""
        if not target.gprof:
            return "the program was not built with -pg"
        return super().unfit(target)

    def command(self, options: PassOptions) -> list[str]:
        """COMMAND itself."""
        return list(options.target.command)

    def environment(self, options: PassOptions) -> dict[str, str]:
        """Its file goes into the recording; the C library adds the pid."""
        return {"GMON_OUT_PREFIX": str(options.output.absolute())}

    def readings(self, options: PassOptions) -> list[Reading]:
        """The report as text, without the explanations; of several processes, the one that wrote most."""
        files = sorted(options.output.parent.glob(f"{options.output.name}.[0-9]*"), key=lambda one: -one.stat().st_size)
        program = str(options.target.program)
        return [Reading(["gprof", "-b", program, str(file)], _report(options.output)) for file in files[:1]]

    def parse(self, output: Path) -> PassResult:
        """CPU seconds and calls by function."""
        with open(_report(output), encoding="utf-8", errors="replace") as lines:
            report = parse_gprof(lines)
        figures = []
        for function in sorted(report.functions.values(), key=lambda one: -one.self_s):
            place = ((function.name, None, None),)
            figures.append(Figure("own CPU time", function.self_s, "s", place, "cpu"))
            if function.calls is not None:
                figures.append(Figure("calls", float(function.calls), "calls", place, "cpu"))
        notes = ["gprof samples the CPU time of the process as a whole; time in libraries without -pg is not in it"]
        return PassResult(figures, notes + cut_short_notes(report.cut_short))


def _report(output: Path) -> Path:
    return output.with_name(output.name + ".report")
