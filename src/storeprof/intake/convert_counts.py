"""What tools count by function or system call -> call_totals, event_samples; gprof's samples -> cpu_samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from storeprof.collect.linux.cachegrind import parse_cachegrind
from storeprof.collect.linux.gprof import parse_gprof
from storeprof.collect.linux.strace_counts import parse_strace_counts
from storeprof.collect.tool_output import Frame
from storeprof.intake.incident import FileFacts, Incident, Seen
from storeprof.intake.tables import LARGEST_INT

# What stands for CPU time, the best first, and what one is worth in ns where it is time.
_TIMES: Final = {"Time_(10ns)": 10.0, "Time_(us)": 1000.0, "Time_(µs)": 1000.0}
_STAND_INS: Final = ("Ir", *_TIMES, "Instructions", "Cycles", "Cycle", "CEst", "Ticks", "Time", "Samples")
MOST_LISTED: Final = 20


def load_strace(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """The table of `strace -c`."""
    table = parse_strace_counts(lines)
    facts.cut_short = table.cut_short
    process = incident.tables.process()
    for one in table.calls:
        incident.tables.row(
            "call_totals", proc_id=process.proc_id, source="strace", kind="system-call", name=one.name, calls=one.calls,
            errors=one.errors, total_ns=round(one.seconds * 1e9),
        )  # fmt: skip
    ranked = sorted(table.calls, key=lambda one: -one.seconds)
    facts.figures |= {
        "system_calls": len(table.calls),
        "calls": sum(one.calls for one in table.calls),
        "errors": sum(one.errors for one in table.calls),
        "seconds": round(sum(one.seconds for one in table.calls), 6),
        "largest": [{"name": one.name, "calls": one.calls, "seconds": one.seconds} for one in ranked[:MOST_LISTED]],
    }
    if not table.wall_known:
        facts.notes.append("its seconds are system time, or wall time with strace -w: the table does not say which")


def load_gprof(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """gprof's report: self time by function (samples), calls and inclusive time (its guess)."""
    report = parse_gprof(lines)
    facts.cut_short = report.cut_short
    tables = incident.tables
    process = tables.process()
    unit_ns = (report.period_s or 0.01) * 1e9
    seen = []
    for one in report.functions.values():
        tables.row(
            "call_totals", proc_id=process.proc_id, source="gprof", kind="function", name=one.name, calls=one.calls,
            self_ns=_whole(one.self_s), total_ns=None if one.total_s is None else _whole(one.total_s),
        )  # fmt: skip
        samples = round(one.self_s * 1e9 / unit_ns)
        if samples > 0:
            seen.append(Seen(tables.stack((Frame(one.name),)), samples))
    thread = tables.thread(process, "gprof", None, "all threads")
    if seen and incident.takes_cpu_of(process, "gprof"):
        incident.lay_out([(thread, seen)], unit_ns, table="cpu_samples", source="gprof")
        incident.cpu_samples = True
    facts.figures |= {
        "functions": len(report.functions),
        "arcs": len(report.arcs),
        "seconds": round(report.total_s, 6),
        "period_s": report.period_s,
        "cycles": report.cycles,
    }
    if report.period_s is None:
        facts.notes.append("the sampling period is not in it: 0.01 s was taken for the number of samples")
    facts.notes.append("who called a function is gprof's guess from calls: only self times are samples")


def _whole(seconds: float) -> int:
    return min(round(seconds * 1e9), LARGEST_INT)


def load_cachegrind(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """Files of cachegrind and callgrind: instructions stand for CPU time, other events are kept beside them."""
    counts = parse_cachegrind(lines)
    facts.cut_short = counts.cut_short
    tool = "cachegrind" if counts.creator == "cachegrind" else "callgrind"
    facts.format = tool
    tables = incident.tables
    command = counts.command.split()[0] if counts.command else None
    process = tables.process(counts.pid, PurePath(command).name if command else None, command)
    thread = tables.thread(process, tool, None, "all threads")
    source = tables.word(tool)
    stand_in = next((one for one in _STAND_INS if one in counts.events), None)
    main = counts.events.index(stand_in) if stand_in else None
    unit_ns = _TIMES.get(stand_in or "")
    seen = []
    for (function, file, binary), costs in counts.own.items():
        stack = tables.stack((Frame(function, binary, None if file == "???" else file),))
        for event, cost in zip(counts.events, costs, strict=True):
            if cost > 0:
                tables.sample("event_samples", incident.offset_ns, thread, tables.word(event), cost, stack, source)
        if main is not None and costs[main] > 0:
            seen.append(Seen(stack, costs[main]))
    if seen and incident.takes_cpu_of(process, tool):
        incident.lay_out([(thread, seen)], unit_ns, table="cpu_samples", source=tool)
        incident.cpu_samples = True
        if stand_in == "Ir":
            facts.notes.append("instructions stand for CPU time: valgrind simulates, so there are shares and no times")
        else:
            facts.notes.append(
                f"{stand_in} stands for CPU time" + ("" if unit_ns else ": there are shares and no times")
            )
    totals = counts.totals
    facts.figures |= {
        "command": counts.command,
        "events": dict(zip(counts.events, totals, strict=True)),
        "functions": len(counts.own),
    }
