"""Profiles of dtrace, spindump and Instruments' clipboard -> samples, call totals and distributions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from storeprof.collect.macos.deep_copy import parse_deep_copy
from storeprof.collect.macos.dtrace import (
    TICK_NS,
    DtraceOutput,
    looks_like_aggregation,
    looks_like_dtrace,
    parse_dtrace,
)
from storeprof.collect.macos.spindump import SpunProcess, parse_spindump
from storeprof.collect.macos.wait_symbols import wait_reason
from storeprof.collect.tool_output import Frame, Site
from storeprof.intake.convert_memory import add_site
from storeprof.intake.convert_trace import load_xctrace, load_xctrace_toc
from storeprof.intake.incident import FileFacts, Incident, Seen
from storeprof.intake.tables import Process

__all__ = [
    "is_aggregation",
    "is_dtrace",
    "load_deep_copy",
    "load_dtrace",
    "load_spindump",
    "load_xctrace",
    "load_xctrace_toc",
]
INFINITE = 1e300
SHORT_NS = 2 * TICK_NS


def is_dtrace(head: Sequence[str]) -> bool:
    """Whether a head is dtrace's."""
    return looks_like_dtrace(line.rstrip("\r") for line in head)


def is_aggregation(head: Sequence[str]) -> bool:
    """Whether a head is an aggregation of dtrace without any title: `dtrace -q`, or standard output alone."""
    return looks_like_aggregation(line.rstrip("\r") for line in head)


def load_dtrace(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """Whatever dtrace printed: stacks are CPU samples, or calls of their leaf functions; aggregations are totals."""
    found = parse_dtrace(lines)
    facts.cut_short = found.cut_short
    tables = incident.tables
    process = tables.process()
    seen = [Seen(tables.stack(one.frames), one.count) for one in found.stacks]
    thread = tables.thread(process, "all", None, "all threads")
    if found.counts_calls:
        _calls(found, seen, incident, process, thread)
    elif seen and incident.takes_cpu_of(process, "dtrace"):
        incident.lay_out([(thread, seen)], None, table="cpu_samples", source="dtrace")
        incident.cpu_samples = True
    _totals(found, incident, process)
    for spread in found.spreads:
        name = spread.key or (spread.frames[0].function if spread.frames else "")
        for low, high, count in spread.buckets:
            tables.row(
                "distributions", proc_id=process.proc_id, source="dtrace", name=name, low=low, high=min(high, INFINITE),
                count=count,
            )  # fmt: skip
    facts.figures |= {
        "stacks": len(found.stacks),
        "samples": 0 if found.counts_calls else sum(one.count for one in found.stacks),
        "aggregations": len(found.rows),
        "distributions": len(found.spreads),
        "calls": sum(calls for calls, _ in found.calls.values())
        + sum(found.entries.values())
        + sum(one.count for one in found.stacks if found.counts_calls)
        or None,
        "drops": found.drops,
        "lines_not_read": found.unread,
        "largest": [
            {"name": one.key, "value": one.value} for one in sorted(found.rows, key=lambda one: -one.value)[:20]
        ],
    }
    if found.counts_calls:
        facts.notes.append(
            "its stacks all begin where a function does: they count its calls, and say nothing of CPU time"
        )
    elif found.stacks:
        facts.notes.append(
            "what its stacks count (samples, calls, bytes) the script decides: they are taken for samples"
        )
    if any(high <= SHORT_NS for spread in found.spreads for low, high, _ in spread.buckets if low >= 0):
        facts.notes.append(f"a Mac's clock may tick every {TICK_NS:.1f} ns only: shorter times are 0 or one tick")
    if found.drops:
        facts.notes.append(f"dtrace dropped {found.drops} records: counts are too low")


def _calls(found: DtraceOutput, seen: list[Seen], incident: Incident, process: Process, thread: int) -> None:
    """Stacks of a probe on function entries: calls by who made them, and by function."""
    tables = incident.tables
    event, source = tables.word("calls"), tables.word("dtrace")
    totals: Counter[str] = Counter()
    incident.duration_known = False
    for stack, one in zip(seen, found.stacks, strict=True):
        tables.sample("event_samples", incident.offset_ns, thread, event, one.count, stack.stack, source)
        totals[one.frames[0].function] += one.count
    for name, calls in totals.items():
        tables.row(
            "call_totals", proc_id=process.proc_id, source="dtrace", kind="function", name=name, calls=calls
        )  # fmt: skip


def _totals(found: DtraceOutput, incident: Incident, process: Process) -> None:
    for row in found.rows:
        timed = row.unit == "TIME (ns)"
        incident.tables.row(
            "call_totals", proc_id=process.proc_id, source="dtrace", kind="aggregation", name=row.key,
            calls=None if timed else row.value, total_ns=row.value if timed else None,
        )  # fmt: skip
    for name, (calls, errors) in found.calls.items():
        incident.tables.row(
            "call_totals",
            proc_id=process.proc_id,
            source="dtruss",
            kind="system-call",
            name=name,
            calls=calls,
            errors=errors,
        )
    for name, calls in found.entries.items():
        incident.tables.row(
            "call_totals", proc_id=process.proc_id, source="dapptrace", kind="function", name=name, calls=calls
        )


def load_spindump(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """spindump: looks at the threads of all processes, as `sample`'s are of one."""
    report = parse_spindump(lines)
    facts.cut_short = report.cut_short
    threads: list[tuple[int, list[Seen]]] = []
    for number, one in enumerate(report.processes):
        process = incident.tables.process(one.pid, one.name, one.path)
        process.sources.add("wall")
        if incident.takes_cpu_of(process, "wall"):
            threads += _looks(incident, process, one, number)
        if one.footprint_bytes is not None:
            incident.tables.row(
                "memory", t_ns=incident.offset_ns, proc_id=process.proc_id, kind="footprint", bytes=one.footprint_bytes
            )
    incident.lay_out(threads, report.interval_ns, table="looks", source="spindump")
    incident.wall_samples = True
    if "OS Version" in report.values:
        incident.machine.setdefault("kernel", report.values["OS Version"])
    incident.started_at = incident.started_at or report.values.get("Date/Time")
    facts.figures |= {
        "processes": len(report.processes),
        "threads": sum(len(one.threads) for one in report.processes),
        "samples": sum(thread.count for one in report.processes for thread in one.threads),
        "interval_ms": report.interval_ns / 1e6 if report.interval_ns else None,
        "event": report.values.get("Event"),
    }


def _looks(incident: Incident, process: Process, spun: SpunProcess, number: int) -> list[tuple[int, list[Seen]]]:
    found = []
    for at, one in enumerate(spun.threads):
        tid = int(one.id, 16)
        thread = incident.tables.thread(process, f"{one.id} {number} {at}", tid, one.name or one.queue)
        seen = []
        for stack in one.stacks:
            frames: list[Frame] = [_with_path(frame, spun) for frame in stack.frames]
            seen.append(Seen(incident.tables.stack(frames), stack.count, wait_reason(stack.frames)))
        if one.lost:
            seen.append(Seen(-1, one.lost, "unknown"))
        found.append((thread, seen))
    return found


def _with_path(frame: Frame, spun: SpunProcess) -> Frame:
    if spun.path and frame.image and spun.path.endswith("/" + frame.image):
        return replace(frame, image=spun.path)
    return frame


def load_deep_copy(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """A call tree from Instruments' clipboard: CPU time, cycles, or allocations."""
    found = parse_deep_copy(lines)
    facts.cut_short = found.cut_short
    tables = incident.tables
    process = tables.process(found.pid, found.process)
    facts.figures |= {"kind": found.kind, "paths": len(found.nodes), "process": found.process, "pid": found.pid}
    facts.notes.append("amounts are rounded to three digits, as Instruments copies them")
    if found.kind == "allocations":
        for node in found.nodes:
            add_site(incident, process, "Instruments", Site(node.frames, node.amount, node.count, "allocated"), None)
        facts.figures |= {
            "bytes": found.total,
            "allocations": sum(node.count or 0 for node in found.nodes),
        }
        return
    by_thread: dict[int, list[Seen]] = {}
    for node in found.nodes:
        thread = tables.thread(process, node.thread or "all", None, node.thread or "all threads")
        by_thread.setdefault(thread, []).append(Seen(tables.stack(node.frames), node.amount))
    timed = found.kind == "time"
    facts.figures["seconds" if timed else "cycles"] = found.total / 1e9 if timed else found.total
    if incident.takes_cpu_of(process, "Instruments"):
        unit = 1.0 if timed else None
        incident.lay_out(list(by_thread.items()), unit, table="cpu_samples", source="Instruments")
        incident.cpu_samples = True
