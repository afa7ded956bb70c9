"""Files -> one recording: recognise each, read it, join them, write tables and recording.json."""

from __future__ import annotations

import hashlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from storeprof import __version__
from storeprof.collect.pass_tool import PassResult
from storeprof.collect.tool_output import UnreadableLine
from storeprof.errors import CollectorError, RecordingError, UsageError
from storeprof.intake.figures import Marks, figures_since, marks
from storeprof.intake.formats import KNOWN, Format, recognise
from storeprof.intake.incident import FileFacts, Incident
from storeprof.intake.source_file import SourceFile
from storeprof.intake.tables import LARGEST_INT, Tables
from storeprof.recording.model import write_meta
from storeprof.recording.schema import FORMAT_VERSION
from storeprof.recording.tables import Columns
from storeprof.session.folder import make_folder, remove_folder
from storeprof.session.pass_tables import figures_table

SCRATCH = "tables.partial"
LINES_BETWEEN_WORDS = 100_000
Said = Callable[[str], None]


def import_files(paths: Sequence[Path], folder: Path, said: Said | None = None) -> list[FileFacts]:
    """Make a recording in `folder` of all files together; returns what each of them gave.

    `said` is told how far a large file was read.

    Raises UsageError naming the file, and the line where there is one, that can't be read; nothing is left behind then.
    """
    sources = [SourceFile(path) for path in paths]
    _check_twins(paths)
    chosen = sorted(((_format_of(one), one) for one in sources), key=lambda row: row[0].rank)
    created = make_folder(folder)
    scratch = folder / SCRATCH
    try:
        scratch.mkdir()
        incident = Incident(Tables(scratch))
        try:
            found = []
            for format_, source in chosen:
                before = marks(incident.tables.rows)
                _load(format_, source, incident, said)
                found.append((_as_pass(incident.files[-1]), _figures(before, incident.tables)))
            _write(incident, folder, scratch, paths, figures_table(found))
        finally:
            incident.tables.close()
    except BaseException as error:
        shutil.rmtree(scratch, ignore_errors=True)
        remove_folder(folder, created)
        if isinstance(error, duckdb.Error):
            raise RecordingError(f"{folder}: can't be written ({str(error).splitlines()[0]})") from None
        raise
    return incident.files


def _check_twins(paths: Sequence[Path]) -> None:
    """The same content twice would count everything twice."""
    seen: dict[str, Path] = {}
    for path in paths:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "blake2b").hexdigest()
        if digest in seen:
            raise UsageError(f"{path}: is the same as {seen[digest]}; name each file once")
        seen[digest] = path


def _format_of(source: SourceFile) -> Format:
    if source.empty:
        raise UsageError(f"{source.path}:1: is empty; name a file that a tool wrote something into")
    found = recognise(source.head)
    if found is None:
        first = next(number for number, line in enumerate(source.head, 1) if line.strip())
        raise UsageError(f"{source.path}:{first}: is of no format that import knows ({KNOWN})")
    if found.refusal:
        raise UsageError(f"{source.path}:1: is from {found.name}, which is not imported: {found.refusal}")
    return found


def _load(format_: Format, source: SourceFile, incident: Incident, said: Said | None) -> None:
    facts = FileFacts(source.path.name, format_.name)
    incident.files.append(facts)
    assert format_.load is not None
    try:
        with source.lines() as lines:
            format_.load(_told(lines, source.path.name, said) if said else lines, incident, facts)
    except UnreadableLine as error:
        raise UsageError(f"{source.path}:{error.line}: {facts.format}: {error.what}") from None
    except CollectorError as error:
        raise UsageError(f"{source.path}: {facts.format}: {error}") from None


def _told(lines: Iterator[str], name: str, said: Said) -> Iterator[str]:
    read = 0
    for number, line in enumerate(lines, 1):
        read += len(line)
        if number % LINES_BETWEEN_WORDS == 0:
            said(f"{name}: {read / 1e6:,.0f} MB read")
        yield line


def _figures(before: Marks, tables: Tables) -> PassResult:
    new = tables.rows.get("allocation_sites", [])[before["allocation_sites"] :]
    stacks = {row["stack_id"] for row in new if row.get("stack_id") is not None}
    return figures_since(before, tables.rows, tables.frames_of(stacks))


def _as_pass(facts: FileFacts) -> dict[str, Any]:
    """What stands in the columns `pass` and `collector` of a file's figures."""
    return {"pass": facts.name, "collector": facts.format}


def _write(incident: Incident, folder: Path, scratch: Path, paths: Sequence[Path], figures: Columns) -> None:
    tables = incident.tables
    if tables.start_ns == LARGEST_INT:
        tables.start_ns = tables.end_ns = 0
        incident.duration_known = False
    start, end = tables.start_ns, max(tables.end_ns, incident.offset_ns, tables.start_ns) + 1
    tables.within(start, end)
    tables.write(scratch, {"pass_figures": figures})
    for part in scratch.glob("part-*"):
        part.rmdir()
    scratch.rename(folder / "tables")
    write_meta(folder, _meta(incident, start, end, paths))


def _meta(incident: Incident, start: int, end: int, paths: Sequence[Path]) -> dict[str, Any]:
    return {
        "format": FORMAT_VERSION,
        "state": "complete",
        "id": str(uuid.uuid4()),
        "storeprof": __version__,
        "command": None,
        "attached_pid": None,
        "started_ns": start,
        "ended_ns": end,
        "started_at": incident.started_at or time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "window": None,
        "exit_status": None,
        "ended_by": "import",
        "machine": {
            "system": None, "kernel": None, "machine": None, "cpu": None, "cpus_online": incident.cpus,
            "cpus_usable": incident.cpus, "memory_bytes": None, "boot_id": "", "minor_fault_ns": None,
        } | incident.machine,
        "collectors": [],
        "program_counts": [],
        "operations_asked": [],
        "imported": {
            "files": [one.as_meta() for one in incident.files],
            "paths": [str(path) for path in paths],
            "time_known": incident.time_known,
            "duration_known": incident.duration_known,
            "ordered": incident.ordered,
            "wall_samples": incident.wall_samples,
            "cpu_samples": incident.cpu_samples,
        },
    }  # fmt: skip
