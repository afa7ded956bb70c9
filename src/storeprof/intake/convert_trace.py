"""xctrace's exports -> samples, system calls, allocations, leaks, regions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from storeprof.collect.macos.wait_symbols import wait_reason
from storeprof.collect.macos.xctrace import Element, TraceExport, TraceRow, backtrace_frames, read_xctrace
from storeprof.collect.tool_output import Frame, UnreadableLine
from storeprof.intake.incident import NOMINAL_NS, FileFacts, Incident
from storeprof.intake.tables import Process

# Tables of samples, the best first; what one is worth: its weight in ns, cycles, or events.
SAMPLED: Final = ("time-profile", "cpu-profile", "counters-profile", "time-sample", "context-switch-sample")
_THREAD_NAME: Final = re.compile(r"(?P<name>.*?)\s+\(?0x[0-9a-f]+\)?(?: \(.*\))?$")
_RANGE: Final = re.compile(r"0x([0-9a-fA-F]{1,16}) - 0x([0-9a-fA-F]{1,16})")
LARGEST: Final = 1 << 62


@dataclass(slots=True)
class _Loader:
    """Adds rows as they come; what they were is said at the end."""

    incident: Incident
    facts: FileFacts
    schemas: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    samples: int = 0
    waiting: int = 0
    weights: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[int, int, int, int, str, str]] = field(default_factory=list)
    calls: dict[tuple[int, str, str], list[int]] = field(default_factory=dict)
    objects: dict[str, list[int]] = field(default_factory=dict)
    sites: dict[tuple[str, tuple[Frame, ...], str], list[int]] = field(default_factory=dict)
    regions: int = 0
    shift: int | None = None

    def add(self, row: TraceRow) -> None:
        handler = _HANDLERS.get(row.schema)
        if handler is None and row.schema == "detail":
            handler = _detail_handler(row)
        if handler is None:
            self.skipped[row.schema] += 1
            return
        self.schemas[row.schema] += 1
        handler(self, row)

    def time(self, t_ns: int) -> int:
        if self.shift is None:
            self.shift = 0 if self.incident.offset_ns == 0 else self.incident.offset_ns - t_ns
        return max(0, t_ns + self.shift)

    def process_and_thread(self, row: TraceRow) -> tuple[Process, int]:
        thread = row.cells.get("thread")
        owner = row.cells.get("process") or (thread.find("process") if thread else None)
        pid_element = owner.find("pid") if owner else None
        pid = pid_element.integer() if pid_element else None
        name = re.sub(r" \(\d+\)$", "", owner.shown) if owner else None
        process = self.incident.tables.process(pid if pid is not None and 0 <= pid < 1 << 31 else None, name)
        tid_element = thread.find("tid") if thread else None
        tid = tid_element.integer() if tid_element else None
        shown = thread.shown if thread else ""
        found = _THREAD_NAME.match(shown)
        label = (found["name"].strip() if found else shown) or None
        return process, self.incident.tables.thread(process, str(tid if tid is not None else shown), tid, label)


def load_xctrace(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """Rows of an export, table by table."""
    export = TraceExport()
    loader = _Loader(incident, facts)
    for row in read_xctrace(lines, export):
        loader.add(row)
    facts.cut_short = export.cut_short
    if export.contents is not None:
        _note_contents(export.contents, incident, facts)
    if not loader.schemas:
        if loader.skipped:
            names = ", ".join(sorted(loader.skipped))
            raise UnreadableLine(1, f"tables that hold nothing import can use: {names}")
        if export.contents is None:
            raise UnreadableLine(1, "an export without rows")
    _write_samples(loader)
    _write_sums(loader)
    incident.offset_ns = max(incident.offset_ns, incident.tables.end_ns)
    facts.figures |= {
        "tables": dict(loader.schemas),
        "tables_not_used": dict(loader.skipped) or None,
        "samples": loader.samples or None,
        "waiting_samples": loader.waiting or None,
        "weights": dict(loader.weights) or None,
        "regions": loader.regions or None,
        "allocations": sum(count for (kind, _, _), (count, _) in loader.sites.items() if kind == "live") or None,
        "leaks": sum(count for (kind, _, _), (count, _) in loader.sites.items() if kind == "leak") or None,
        "system_calls": [
            {"name": name, "calls": calls, "seconds": total / 1e9}
            for (_, _, name), (calls, total, _) in sorted(loader.calls.items(), key=lambda item: -item[1][1])[:20]
        ]
        or None,
    }


def load_xctrace_toc(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """A table of contents: what was recorded of whom; it holds no data."""
    load_xctrace(lines, incident, facts)
    facts.notes.append("a table of contents has no data: export its tables, too (xctrace export --xpath)")


def _note_contents(contents: Element, incident: Incident, facts: FileFacts) -> None:
    device, process = contents.find("device"), None
    target = contents.find("target")
    if target is not None:
        process = next((one for one in target.children if one.tag == "process"), None)
    if device is not None:
        incident.machine.setdefault("kernel", f"macOS {device.attributes.get('os-version', '')}".strip())
        incident.machine.setdefault("cpu", device.attributes.get("model"))
    if process is not None and process.attributes.get("pid", "").isdigit():
        incident.tables.process(int(process.attributes["pid"]), process.attributes.get("name"))
        facts.figures |= {"process": process.attributes.get("name"), "pid": int(process.attributes["pid"])}
    duration, template = contents.find("duration"), contents.find("template-name")
    tables: list[str] = []
    _collect(contents, tables)
    facts.figures |= {
        "duration_s": float(duration.text)
        if duration is not None and re.fullmatch(r"\d+(\.\d+)?", duration.text.strip())
        else None,
        "template": template.text.strip() if template is not None else None,
        "tables_recorded": sorted(set(tables)),
    }


def _collect(element: Element, tables: list[str]) -> None:
    if element.tag == "table" and "schema" in element.attributes:
        tables.append(element.attributes["schema"])
    for child in element.children:
        _collect(child, tables)


def _value(row: TraceRow, name: str) -> int | None:
    cell = row.cells.get(name)
    return cell.integer() if cell is not None else None


def _add_sample(loader: _Loader, row: TraceRow) -> None:
    t_ns = _value(row, "time")
    if t_ns is None or not 0 <= t_ns < LARGEST:
        raise UnreadableLine(row.line, "a sample without its time")
    cell = row.cells.get("weight")
    weight = cell.integer() if cell is not None else None
    if cell is not None and (weight is None or not 0 <= weight < LARGEST):
        raise UnreadableLine(row.line, f"no weight of a sample: {cell.shown[:40]!r}")
    process, thread = loader.process_and_thread(row)
    stack_cell = next(
        (row.cells[name] for name in ("stack", "backtrace", "cp-user-callstack") if name in row.cells), None
    )
    frames = backtrace_frames(stack_cell)
    state = row.cells.get("thread-state") or row.cells.get("state")
    running = state is None or state.shown in ("Running", "Runnable", "")
    tables = loader.incident.tables
    stack = tables.stack(frames)
    loader.samples += 1
    unit = {"weight": "ns", "cycle-weight": "cycles"}.get(cell.tag, "events") if cell is not None else "samples"
    loader.weights[unit] += weight if weight is not None else 1
    if not loader.incident.takes_cpu_of(process, row.schema):
        tables.sample(
            "event_samples", loader.time(t_ns), thread, tables.word(unit), weight or 1, stack, tables.word(row.schema)
        )
        return
    if unit != "ns":
        loader.incident.time_known = False
    reason = "running"
    if not running:
        reason = wait_reason(frames)
        reason = "unknown" if reason == "running" else reason
        loader.waiting += 1
    weight_ns = max(1, weight if weight is not None else NOMINAL_NS)
    loader.rows.append((loader.time(t_ns), thread, weight_ns, stack, reason, row.schema))


def _write_samples(loader: _Loader) -> None:
    """Samples of running threads alone are CPU samples; with those of waiting ones they are looks."""
    tables = loader.incident.tables
    for t_ns, thread, weight_ns, stack, reason, schema in loader.rows:
        if loader.waiting:
            tables.sample("looks", t_ns, thread, weight_ns, stack, tables.word(reason))
        else:
            tables.sample("cpu_samples", t_ns, thread, weight_ns, stack, tables.word(schema))
    loader.incident.wall_samples |= loader.waiting > 0
    loader.incident.cpu_samples |= bool(loader.rows) and not loader.waiting


def _add_call(loader: _Loader, row: TraceRow) -> None:
    """A system call or another interval: counted, with its time, by name."""
    start, duration = _value(row, "start"), _value(row, "duration")
    if duration is None or not 0 <= duration < LARGEST:
        raise UnreadableLine(row.line, "an interval without its duration")
    process, thread = loader.process_and_thread(row)
    named = next(
        (row.cells[name] for name in ("syscall", "hang-type", "narrative-description", "name") if name in row.cells),
        None,
    )
    name = named.shown if named is not None else row.schema
    sums = loader.calls.setdefault((process.proc_id, row.schema, name), [0, 0, 0])
    sums[0] += 1
    sums[1] += duration
    failed = _value(row, "errno")
    sums[2] += bool(failed)
    tables = loader.incident.tables
    stack = tables.stack(backtrace_frames(row.cells.get("backtrace")))
    if start is not None and 0 <= start < LARGEST:
        word, source = tables.word(f"{row.schema}: {name}"), tables.word(row.schema)
        tables.sample("event_samples", loader.time(start), thread, word, duration, stack, source)


def _detail_handler(row: TraceRow) -> Callable[[_Loader, TraceRow], None] | None:
    names = row.attributes.keys()
    if "leaked-object" in names:
        return _add_leak
    if "address-range" in names:
        return _add_region
    if "size" in names and "category" in names:
        return _add_allocation
    return None


def _attribute(row: TraceRow, name: str) -> int:
    text = row.attributes.get(name, "").replace(",", "")
    if not re.fullmatch(r"\d{1,18}", text):
        raise UnreadableLine(row.line, f"{name}={row.attributes.get(name)!r} is no number")
    return int(text)


def _add_allocation(loader: _Loader, row: TraceRow) -> None:
    size = _attribute(row, "size")
    alive = row.attributes.get("live") in ("true", "1", "yes")
    frames = backtrace_frames(row.element) or _responsible(row)
    kind = "live" if alive else "freed"
    _sum(loader.sites, (kind, frames, row.attributes.get("category", "")), 1, size)
    if alive:
        _sum(loader.objects, row.attributes.get("category", "?"), 1, size)


def _add_leak(loader: _Loader, row: TraceRow) -> None:
    count = _attribute(row, "count") if "count" in row.attributes else 1
    frames = backtrace_frames(row.element) or _responsible(row)
    _sum(loader.sites, ("leak", frames, row.attributes["leaked-object"]), count, _attribute(row, "size"))


def _responsible(row: TraceRow) -> tuple[Frame, ...]:
    name = row.attributes.get("responsible-frame") or row.attributes.get("responsible-caller")
    return (Frame(name, row.attributes.get("responsible-library") or None),) if name else ()


def _add_region(loader: _Loader, row: TraceRow) -> None:
    found = _RANGE.fullmatch(row.attributes["address-range"].strip())
    if found is None or int(found[2], 16) < int(found[1], 16):
        raise UnreadableLine(row.line, f"no range of addresses: {row.attributes['address-range']!r}")
    process = loader.incident.tables.process()
    loader.regions += 1
    loader.incident.tables.row(
        "memory_regions", proc_id=process.proc_id, source="xctrace", kind="region", name=row.attributes.get("type"),
        start_address=int(found[1], 16), end_address=int(found[2], 16), virtual_bytes=_attribute(row, "virtual-size"),
        resident_bytes=_attribute(row, "resident-size"), dirty_bytes=_attribute(row, "dirty-size"),
        swapped_bytes=_attribute(row, "swapped-size"), protection=row.attributes.get("protections"),
        detail=row.attributes.get("path") or None,
    )  # fmt: skip


def _sum(sums: dict[Any, list[int]], key: object, count: int, size: int) -> None:
    both = sums.setdefault(key, [0, 0])
    both[0] += count
    both[1] += size


def _write_sums(loader: _Loader) -> None:
    tables = loader.incident.tables
    for (proc_id, schema, name), (calls, total, errors) in loader.calls.items():
        tables.row(
            "call_totals", proc_id=proc_id, source="xctrace", kind="system-call" if "syscall" in schema else schema,
            name=name, calls=calls, errors=errors, total_ns=min(total, LARGEST),
        )  # fmt: skip
    if not loader.sites:
        return
    process = tables.process()
    for (kind, frames, what), (count, size) in loader.sites.items():
        stack = tables.stack(frames)
        tables.row(
            "allocation_sites", proc_id=process.proc_id, source="xctrace", kind=kind, name=what, count=count,
            bytes=size, stack_id=stack if stack >= 0 else None,
        )  # fmt: skip
    for name, (count, size) in loader.objects.items():
        tables.row("heap_objects", proc_id=process.proc_id, source="xctrace", name=name, count=count, bytes=size)


_HANDLERS: Final[dict[str, Callable[[_Loader, TraceRow], None]]] = {
    **dict.fromkeys(SAMPLED, _add_sample),
    **dict.fromkeys(
        ("fs-syscall", "syscall", "potential-hangs", "hitches", "disk-usage", "disk-io", "runloop-intervals"), _add_call
    ),
}
