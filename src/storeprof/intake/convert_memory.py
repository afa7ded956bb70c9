"""What tools say of memory -> allocation_sites, heap_objects, memory_regions, memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from storeprof.collect.linux.heaptrack_print import parse_heaptrack_print
from storeprof.collect.linux.massif import parse_massif
from storeprof.collect.linux.memray_stats import parse_memray_stats
from storeprof.collect.linux.valgrind_xml import parse_valgrind_xml
from storeprof.collect.macos.footprint import parse_footprint
from storeprof.collect.macos.heap import parse_heap
from storeprof.collect.macos.leaks import parse_leaks
from storeprof.collect.macos.malloc_history import parse_malloc_history
from storeprof.collect.macos.vmmap import parse_vmmap
from storeprof.collect.tool_output import Site
from storeprof.intake.convert_head import note_head, note_memory
from storeprof.intake.incident import FileFacts, Incident
from storeprof.intake.largest import MOST_LISTED, largest_sites
from storeprof.intake.tables import Process


def load_heap(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """`heap`: objects by class."""
    report = parse_heap(lines)
    facts.cut_short = report.cut_short
    process = incident.tables.process(report.pid, report.header.name, report.header.path)
    note_head(incident, report.header, process, facts)
    for one in report.classes:
        incident.tables.row(
            "heap_objects", proc_id=process.proc_id, source="heap", zone=one.zone, name=one.name, type=one.type,
            binary=one.binary, count=one.count, bytes=one.bytes,
        )  # fmt: skip
    note_memory(incident, process, facts, heap=report.bytes)
    ranked = sorted(report.of_all_zones, key=lambda one: -one.bytes)
    facts.figures |= {
        "nodes": report.nodes,
        "bytes": report.bytes,
        "classes": len(report.of_all_zones),
        "largest": [{"name": one.name, "count": one.count, "bytes": one.bytes} for one in ranked[:MOST_LISTED]],
    }


def load_vmmap(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """`vmmap`: regions, summary and zones."""
    report = parse_vmmap(lines)
    facts.cut_short = report.cut_short
    process = incident.tables.process(report.pid, report.name, report.header.path)
    note_head(incident, report.header, process, facts)
    for region in report.regions:
        incident.tables.row(
            "memory_regions", proc_id=process.proc_id, source="vmmap", kind="region", name=region.name,
            start_address=region.start, end_address=region.end, virtual_bytes=region.end - region.start,
            resident_bytes=region.resident_bytes, dirty_bytes=region.dirty_bytes, swapped_bytes=region.swapped_bytes,
            protection=region.protection, share_mode=region.share_mode, detail=region.detail,
        )  # fmt: skip
    for row in report.rows:
        incident.tables.row(
            "memory_regions", proc_id=process.proc_id, source="vmmap", kind=row.kind, name=row.name, detail=row.remark,
            **row.figures,
        )  # fmt: skip
    total = report.total()
    facts.figures |= {
        "regions": len(report.regions),
        "report_format": report.version,
        "total": total.figures if total else None,
        "parts": report.totals or None,
        "largest": [
            {"name": row.name, **row.figures}
            for row in sorted(
                report.rows, key=lambda row: -row.figures.get("dirty_bytes", row.figures.get("virtual_bytes", 0))
            )
            if row.kind == "summary" and not row.name.startswith("TOTAL")
        ][:MOST_LISTED],
        "zones": [{"name": row.name, **row.figures} for row in report.rows if row.kind == "zone"][:MOST_LISTED],
    }
    if total and "resident_bytes" in total.figures:
        note_memory(incident, process, facts, resident=total.figures["resident_bytes"])


def load_footprint(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """`footprint`: what each category costs."""
    report = parse_footprint(lines)
    facts.cut_short = report.cut_short
    for one in report.footprints:
        process = incident.tables.process(one.pid, one.name)
        peak = one.auxiliary.get("phys_footprint_peak")
        note_memory(incident, process, facts, footprint=one.bytes, footprint_peak=peak)
        for row in [*one.categories, *([one.total] if one.total else [])]:
            incident.tables.row(
                "memory_regions", proc_id=process.proc_id, source="footprint", kind="summary", name=row.name,
                dirty_bytes=row.bytes.get("dirty"), swapped_bytes=row.bytes.get("swapped"), regions=row.regions,
            )  # fmt: skip
        facts.figures |= {"process": one.name, "pid": one.pid, "categories": len(one.categories)}


def load_leaks(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """`leaks`: what nothing points to."""
    report = parse_leaks(lines)
    facts.cut_short = report.cut_short
    process = incident.tables.process(report.pid, report.header.name, report.header.path)
    note_head(incident, report.header, process, facts)
    for one in report.leaks:
        add_site(incident, process, "leaks", Site(one.frames, one.bytes, one.count, "leak"), one.what)
    listed = sum(one.count for one in report.leaks)
    if report.count is not None and listed < report.count:
        rest = max(0, (report.bytes or 0) - sum(one.bytes for one in report.leaks))
        add_site(incident, process, "leaks", Site((), rest, report.count - listed, "leak"), "not listed in the file")
    note_memory(incident, process, facts, heap=report.heap_bytes)
    facts.figures |= {
        "leaks": report.count if report.count is not None else listed,
        "leaked_bytes": report.bytes if report.bytes is not None else sum(one.bytes for one in report.leaks),
        "nodes": report.nodes,
        "heap_bytes": report.heap_bytes,
        "stacks": sum(1 for one in report.leaks if one.frames),
        "largest": largest_sites((Site(one.frames, one.bytes, one.count, "leak"), one.what) for one in report.leaks),
    }
    if any(one.rounded for one in report.leaks):
        facts.notes.append("bytes of some leaks are rounded to three digits, as the file has them; the total is exact")
    if report.leaks and not facts.figures["stacks"]:
        facts.notes.append("no stacks: start the program with MallocStackLogging=1 to see who allocated what leaks")


def load_malloc_history(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """`malloc_history`: who allocated what is alive."""
    report = parse_malloc_history(lines)
    facts.cut_short = report.cut_short
    process = incident.tables.process(report.header.pid, report.header.name, report.header.path)
    note_head(incident, report.header, process, facts)
    for one in report.sites:
        add_site(incident, process, "malloc_history", Site(one.frames, one.bytes, one.count, "live"), None)
    facts.figures |= {
        "allocations": sum(one.count for one in report.sites),
        "bytes": sum(one.bytes for one in report.sites),
        "stacks": len(report.sites),
        "events": report.events or None,
        "largest": largest_sites((Site(one.frames, one.bytes, one.count, "live"), None) for one in report.sites),
    }
    if any(one.rounded for one in report.sites):
        facts.notes.append("bytes of the call tree are rounded to three digits, as the file has them; counts are exact")


def load_valgrind(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """Valgrind's XML: leaks, and errors of memory or threads."""
    report = parse_valgrind_xml(lines)
    facts.cut_short = report.cut_short
    name = PurePath(report.program).name if report.program else None
    process = incident.tables.process(report.pid, name, report.program)
    _sites(incident, process, "valgrind", report.leaks)
    for one in report.errors:
        incident.tables.row(
            "call_totals", proc_id=process.proc_id, source="valgrind", kind="error", calls=one.count,
            name=f"{one.kind}: {one.what}"[:300], file=next((f.file for f in one.frames if f.file), None),
        )  # fmt: skip
    by_kind: dict[str, dict[str, int]] = {}
    for leak in report.leaks:
        sums = by_kind.setdefault(leak.kind, {"blocks": 0, "bytes": 0})
        sums["blocks"] += leak.count or 0
        sums["bytes"] += leak.bytes or 0
    facts.figures |= {
        "tool": report.tool,
        "leaks": by_kind,
        "leaked_bytes": sum(v["bytes"] for k, v in by_kind.items() if k in ("leak", "indirect-leak")),
        "errors": len(report.errors),
        "largest": largest_sites((one, None) for one in report.leaks),
    }
    if not report.finished and report.cut_short is None:
        facts.notes.append("the program had not finished: there was no leak check")


def load_heaptrack(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """heaptrack_print's report."""
    report = parse_heaptrack_print(lines)
    facts.cut_short = report.cut_short
    command = report.command.split()[0] if report.command else None
    process = incident.tables.process(None, PurePath(command).name if command else None, command)
    _sites(incident, process, "heaptrack", report.sites)
    note_memory(incident, process, facts, heap_peak=report.peak_bytes, rss_peak=report.peak_rss_bytes)
    facts.figures |= {
        "command": report.command,
        "runtime_s": report.runtime_s,
        "allocations": report.allocations,
        "temporary": report.temporary,
        "peak_bytes": report.peak_bytes,
        "leaked_bytes": report.leaked_bytes,
        "largest": largest_sites((one, None) for one in report.sites if one.kind == "peak"),
    }
    facts.notes.append("bytes are rounded to three or four digits, as heaptrack prints them")


def load_memray(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """`memray stats`."""
    report = parse_memray_stats(lines)
    facts.cut_short = report.cut_short
    process = incident.tables.process(report.pid, None)
    _sites(incident, process, "memray", report.sites)
    for kind, count in report.allocators.items():
        incident.tables.row(
            "call_totals", proc_id=process.proc_id, source="memray", kind="allocator", name=kind, calls=count
        )
    low = 0
    for limit, count in report.buckets:
        incident.tables.row(
            "distributions", proc_id=process.proc_id, source="memray", name="allocation bytes", low=float(low),
            high=float(limit), count=count,
        )  # fmt: skip
        low = limit
    note_memory(incident, process, facts, heap_peak=report.peak_bytes)
    facts.figures |= {
        "command": report.command,
        "allocations": report.allocations,
        "allocated_bytes": report.bytes,
        "peak_bytes": report.peak_bytes,
        "allocators": report.allocators,
        "largest": largest_sites((one, None) for one in report.sites),
    }
    if report.rounded:
        facts.notes.append("bytes are rounded as memray prints them; memray stats --json has them in full")


def load_massif(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """Massif's file: the heap over time and at its peak."""
    report = parse_massif(lines)
    facts.cut_short = report.cut_short
    command = report.command.split()[0] if report.command else None
    process = incident.tables.process(None, PurePath(command).name if command else None, command)
    _sites(incident, process, "massif", report.peak)
    highest = max(one.heap_bytes for one in report.snapshots)
    note_memory(incident, process, facts, heap_peak=highest)
    facts.figures |= {
        "command": report.command,
        "snapshots": len(report.snapshots),
        "peak_bytes": highest,
        "time_unit": report.time_unit,
        "last_bytes": report.snapshots[-1].heap_bytes,
        "largest": largest_sites((one, None) for one in report.peak),
    }


def _sites(incident: Incident, process: Process, source: str, sites: Iterable[Site]) -> None:
    for one in sites:
        add_site(incident, process, source, one, None)


def add_site(incident: Incident, process: Process, source: str, one: Site, name: str | None) -> None:
    """A row of `allocation_sites`; `name`: what was allocated, where the tool says so."""
    stack = incident.tables.stack(one.frames)
    values: dict[str, Any] = {"stack_id": stack if stack >= 0 else None, "count": one.count, "bytes": one.bytes}
    incident.tables.row("allocation_sites", proc_id=process.proc_id, source=source, kind=one.kind, name=name, **values)
