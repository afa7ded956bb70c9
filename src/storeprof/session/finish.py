"""From a journal to a complete recording; the same path after a normal end and after a kill."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from storeprof.analysis.document import analyze
from storeprof.errors import RecordingError
from storeprof.recording.journal import Journal, is_being_written, read_journal
from storeprof.recording.model import JOURNAL, Recording, read_meta, write_meta
from storeprof.recording.schema import JournalTable
from storeprof.recording.tables import Columns, write_table
from storeprof.session import evidence, tabulate, tabulate_scopes
from storeprof.session.allocation_tables import add_allocation_tables
from storeprof.session.cpu_accounts import note_not_observed
from storeprof.session.named_operations import instrument_asked, operations_asked
from storeprof.session.native_tables import add_native_tables
from storeprof.session.pass_tables import add_pass_tables, write_pass_evidence
from storeprof.session.probe_sites import probes_table
from storeprof.session.py_spy_tables import add_py_spy_tables
from storeprof.session.python_frames import with_lines


def open_recording(folder: Path) -> Recording:
    """Open a recording, finishing it first when its recorder was killed.

    Raises RecordingError when it is missing, damaged, of a later format, or still being made.
    """
    meta = read_meta(folder)
    if meta.get("state") == "recording":
        finish(folder)
    return Recording.open(folder)


def finish(folder: Path) -> Recording:
    """Turn the journal into tables, write the raw evidence, and mark the recording complete.

    Raises RecordingError when another process still records into it, or nothing can be read.
    """
    meta = read_meta(folder)
    path = folder / JOURNAL
    if not path.exists():
        raise RecordingError(f"{folder}: unfinished and without its {JOURNAL}; record again")
    if is_being_written(path):
        raise RecordingError(f"{folder}: still being recorded; wait for its end, or end it with Ctrl-C")
    journal = read_journal(path)
    meta = _completed_meta(folder, meta, journal)
    try:
        _write_tables(folder, meta, journal)
        write_meta(folder, meta)
    except (OSError, duckdb.IOException) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).split("\n", 1)[0]
        if "No space left" in str(error):
            shutil.rmtree(folder / "tables.partial", ignore_errors=True)
            raise RecordingError(f"{folder}: the disk is full; make room, then `storeprof analyze {folder}`") from None
        raise RecordingError(f"{folder}: can't be finished ({why}); make it writable, or copy it") from None
    path.unlink()
    recording = Recording.open(folder)
    try:
        _write_evidence(recording)
    except OSError as error:  # the tables are whole, and they are the recording
        print(f"storeprof: {folder}: texts for people are missing ({error.strerror})", file=sys.stderr)
    return recording


def _completed_meta(folder: Path, meta: dict[str, Any], journal: Journal) -> dict[str, Any]:
    done = dict(meta)
    if done.get("ended_ns") is None:
        looks = journal.packed[JournalTable.LOOKS]
        done["ended_ns"] = int(looks["t_ns"].max()) if len(looks) else done["started_ns"]
        done["ended_by"] = "recorder-killed"
        done["exit_status"] = None
    done["unread_journal_bytes"] = journal.unread_bytes
    done["program_counts"] = _json_lines(folder / "program-counts.jsonl")
    done["operations_asked"] = operations_asked(folder, done.get("operations_asked") or [], journal)
    done["instrument_asked"] = instrument_asked(folder, done.get("instrument_asked") or [], journal)
    driven = _driven(folder)
    if driven:
        done["driven"] = driven
        done["window"] = [driven["start_ns"], driven.get("end_ns") or done["ended_ns"]]
    done["state"] = "complete"
    return done


def _json_lines(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError):
        return []
    return [row for row in rows if row.get("seconds") is None or row["seconds"] > 0]


def _driven(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / "window.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "start_ns" in found else None


def _write_tables(folder: Path, meta: dict[str, Any], journal: Journal) -> None:
    tables = _tables(folder, meta, journal)
    partial = folder / "tables.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    connection = duckdb.connect()
    try:
        for name, columns in tables.items():
            write_table(connection, partial, name, columns)
    finally:
        connection.close()
    shutil.rmtree(folder / "tables", ignore_errors=True)
    partial.rename(folder / "tables")


def _tables(folder: Path, meta: dict[str, Any], journal: Journal) -> dict[str, Columns]:
    journal = with_lines(journal)
    ids = tabulate.identify(journal, meta["machine"]["boot_id"])
    resources = tabulate.resources_of(journal)
    tables: dict[str, Columns] = {
        "processes": tabulate.processes_table(journal, ids),
        "threads": tabulate.threads_table(journal, ids),
        "looks": tabulate.looks_table(journal, ids, resources),
        "thread_time": tabulate.thread_time_table(journal, ids),
        "stacks": tabulate.stacks_table(journal),
        "frames": tabulate.frames_table(journal),
        "scope_nodes": tabulate_scopes.scope_nodes_table(journal, ids),
        "scope_slices": tabulate_scopes.scope_slices_table(journal, ids),
        "scope_histograms": tabulate_scopes.scope_histograms_table(journal, ids),
        "operations": tabulate_scopes.operations_table(journal, ids),
        "lock_stays": tabulate_scopes.lock_stays_table(journal, ids),
        "probes": probes_table(journal, ids),
        "probe_slices": tabulate_scopes.probe_slices_table(journal, ids),
        "memory": tabulate.memory_table(journal, ids),
        "memory_tag_paths": tabulate_scopes.memory_tag_paths_table(journal, ids),
        "memory_tags": tabulate_scopes.memory_tags_table(journal, ids),
    }
    tables["resources"] = tabulate.resources_table(resources)
    note_not_observed(meta, journal)
    tables = add_native_tables(folder, meta, tables)
    tables = add_py_spy_tables(folder, meta, journal, ids, tables)
    tables = add_allocation_tables(journal, tables)
    return add_pass_tables(folder, meta, tables)


def _write_evidence(recording: Recording) -> None:
    stamp = time.strftime("%Y%m%d_%H%M%S", time.localtime(recording.folder.joinpath("recording.json").stat().st_mtime))
    evidence.write_performance_test(recording, analyze(recording), stamp)
    evidence.write_sample_profile(recording, stamp)
    write_pass_evidence(recording, stamp)
