"""The head of a macOS report -> process, machine, footprint."""

from __future__ import annotations

from storeprof.collect.macos.report_header import ReportHeader
from storeprof.intake.incident import FileFacts, Incident
from storeprof.intake.tables import Process


def note_head(incident: Incident, header: ReportHeader, process: Process, facts: FileFacts) -> None:
    """Keep what the head says of the process and its system; its footprint becomes rows of `memory`."""
    values = header.values
    for key, name in (("kernel", "OS Version"), ("machine", "Code Type")):
        if name in values:
            incident.machine.setdefault(key, values[name])
    if values.get("Date/Time", "(null)") != "(null)":
        facts.figures["date_time"] = values["Date/Time"]
        incident.started_at = incident.started_at or values["Date/Time"]
    if header.name:
        facts.figures["process"] = header.name
    if header.pid is not None:
        facts.figures["pid"] = header.pid
    note_memory(incident, process, facts, footprint=header.footprint_bytes, footprint_peak=header.peak_bytes)


def note_memory(incident: Incident, process: Process, facts: FileFacts, **kinds: int | None) -> None:
    """Rows of `memory` of these kinds, and the same among the file's figures."""
    for kind, size in kinds.items():
        if size is not None:
            incident.tables.row("memory", t_ns=incident.offset_ns, proc_id=process.proc_id, kind=kind, bytes=size)
            facts.figures[f"{kind}_bytes"] = size
