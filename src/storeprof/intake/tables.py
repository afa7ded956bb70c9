"""Rows of a recording that is put together from files, whatever they are: processes, threads, stacks, and the rest.

Samples are put into files of twenty thousand rows as they come: a profile of gigabytes does not pass through memory.
Stacks and frames do, once each: there are as many as the program has, not as the file has lines.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from storeprof.collect.tool_output import Frame
from storeprof.intake.names import demangled, is_own, plain_name
from storeprof.observe.modules import module_name
from storeprof.recording.identity import process_id, thread_id
from storeprof.recording.schema import TABLES
from storeprof.recording.tables import Columns, integers, null_where, strings, write_table

ROWS_IN_MEMORY: Final = 20_000
LARGEST_INT: Final = (1 << 63) - 1
LARGEST_TID: Final = (1 << 31) - 1
_NUMBERS: Final = {"looks": ("t_ns", "thread_id", "weight_ns", "py_stack_id", "reason"),
                   "cpu_samples": ("t_ns", "thread_id", "weight_ns", "stack_id", "source"),
                   "switch_samples": ("t_ns", "thread_id", "state", "stack_id", "source"),
                   "event_samples": ("t_ns", "thread_id", "event", "count", "stack_id", "source")}  # fmt: skip
_TEXTS: Final = frozenset({"reason", "source", "event", "state"})


@dataclass(slots=True)
class Process:
    """A process that files speak of."""

    proc_id: int
    pid: int | None
    name: str | None
    exe: str | None = None
    python: bool = False
    sources: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Thread:
    identity: int
    process: Process
    tid: int | None
    name: str | None
    first_ns: int = LARGEST_INT
    last_ns: int = 0


class Tables:
    """Collects rows; `write` makes the Parquet tables."""

    def __init__(self, scratch: Path, rows_in_memory: int = ROWS_IN_MEMORY) -> None:
        self._scratch = scratch
        self._most = rows_in_memory
        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 2")
        self.processes: list[Process] = []
        self._threads: dict[tuple[int, str], _Thread] = {}
        self._by_identity: dict[int, _Thread] = {}
        self._frames: dict[Frame, int] = {}
        self._stacks: dict[tuple[int, int], int] = {}
        self._columns: dict[str, dict[str, array[int]]] = {}
        self._words: dict[str, int] = {}
        self._parts: dict[str, list[Path]] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self.counts: dict[str, int] = {}
        self.start_ns = LARGEST_INT
        self.end_ns = 0

    def process(self, pid: int | None = None, name: str | None = None, exe: str | None = None) -> Process:
        """The process of that number, or of that name where there is no number; the only one where neither is known."""
        for one in self.processes:
            same_pid = pid is not None and one.pid == pid
            same_name = (pid is None or one.pid is None) and name is not None and one.name == name
            if same_pid or same_name:
                one.pid, one.name, one.exe = one.pid or pid, one.name or name, one.exe or exe
                return one
        if pid is None and name is None and len(self.processes) == 1:
            return self.processes[0]
        identity = process_id(f"imported {name or ''}", pid or 0, len(self.processes), 0)
        self.processes.append(Process(identity, pid, name, exe))
        return self.processes[-1]

    def thread(self, process: Process, key: str, tid: int | None = None, name: str | None = None) -> int:
        """Identity of a thread; `key` tells the threads of a process apart."""
        found = self._threads.get((process.proc_id, key))
        if found is None:
            identity = thread_id(process.proc_id, tid or 0, len(self._threads))
            self.counts["threads"] = len(self._threads) + 1
            known = tid if tid is not None and tid <= LARGEST_TID else None
            found = self._threads[(process.proc_id, key)] = _Thread(identity, process, known, name)
            self._by_identity[identity] = found
        elif name and not found.name:
            found.name = name
        return found.identity

    def stack(self, frames: Sequence[Frame]) -> int:
        """Number of a stack, given leaf first; -1 for an empty one."""
        at = -1
        for frame in reversed(frames):
            number = self._frames.setdefault(frame, len(self._frames))
            at = self._stacks.setdefault((at, number), len(self._stacks))
        return at

    def word(self, text: str) -> int:
        """Number of a word that stands in many rows."""
        return self._words.setdefault(text, len(self._words))

    def sample(self, table: str, t_ns: int, thread: int, *values: int) -> None:
        """A row of a table of samples; values are in the order of its columns, words by their numbers."""
        columns = self._columns.get(table)
        if columns is None:
            columns = self._columns[table] = {name: array("q") for name in _NUMBERS[table]}
        for column, value in zip(columns.values(), (t_ns, thread, *values), strict=True):
            column.append(value)
        self.counts[table] = self.counts.get(table, 0) + 1
        seen = self._by_identity[thread]
        seen.first_ns, seen.last_ns = min(seen.first_ns, t_ns), max(seen.last_ns, t_ns)
        self.start_ns, self.end_ns = min(self.start_ns, t_ns), max(self.end_ns, t_ns)
        if len(columns["t_ns"]) >= self._most:
            self._flush(table)

    def row(self, table: str, **values: Any) -> None:
        """A row of a table that is no table of samples."""
        self._rows.setdefault(table, []).append(values)
        self.counts[table] = self.counts.get(table, 0) + 1

    def within(self, start_ns: int, end_ns: int) -> None:
        """Move readings of memory, which have no time of their own, into the recording's time."""
        for row in self._rows.get("memory", []):
            row["t_ns"] = min(max(row["t_ns"], start_ns), end_ns)

    def write(self, folder: Path, more: dict[str, Columns]) -> None:
        """Write all tables into a folder, and `more` beside them."""
        for table in list(self._columns):
            self._flush(table)
        for table, parts in self._parts.items():
            listed = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
            target = str(folder / f"{table}.parquet").replace("'", "''")
            query = f"COPY (SELECT * FROM read_parquet([{listed}])) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
            self._connection.execute(query)
            for part in parts:
                part.unlink()
        for table, columns in {**self._whole_tables(), **more}.items():
            write_table(self._connection, folder, table, columns)
        for table in TABLES:
            if not (folder / f"{table}.parquet").exists():
                write_table(self._connection, folder, table, {})

    @property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of the tables that are no samples, as they were added."""
        return self._rows

    def frames_of(self, stacks: set[int]) -> dict[int, tuple[Frame, ...]]:
        """Frames, leaf first, of stacks by their numbers."""
        frames, pairs = list(self._frames), list(self._stacks)
        found = {}
        for stack in stacks:
            at, path = stack, []
            while at >= 0:
                at, frame = pairs[at][0], pairs[at][1]
                path.append(frames[frame])
            found[stack] = tuple(path)
        return found

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _flush(self, table: str) -> None:
        columns = self._columns.pop(table)
        words = np.array(list(self._words) or [""], dtype=object)
        made: dict[str, np.ndarray[Any, Any]] = {}
        for name, values in columns.items():
            numbers = np.frombuffer(values, dtype=np.int64)
            if name in _TEXTS:
                made[name] = words[numbers]
            elif name in ("stack_id", "py_stack_id"):
                made[name] = null_where(numbers, numbers < 0)
            else:
                made[name] = numbers
        if table == "looks":
            made["state"] = np.where(made["reason"] == "running", "R", "S").astype(object)
            made["quality"] = np.where(np.ma.getmaskarray(made["py_stack_id"]), "none", "ok").astype(object)
        parts = self._parts.setdefault(table, [])
        part_folder = self._scratch / f"part-{len(parts)}"
        part_folder.mkdir(exist_ok=True)
        write_table(self._connection, part_folder, table, made)
        parts.append(part_folder / f"{table}.parquet")

    def _whole_tables(self) -> dict[str, Columns]:
        tables = {name: _columns_of(name, rows) for name, rows in self._rows.items()}
        owners = list(self._threads.values())
        tables["processes"] = {
            "proc_id": np.array([one.proc_id for one in self.processes], dtype=np.int64),
            "pid": integers([one.pid for one in self.processes]),
            "exe": strings([one.exe for one in self.processes]),
            "name": strings([one.name for one in self.processes]),
        }
        tables["threads"] = {
            "thread_id": np.array([one.identity for one in owners], dtype=np.int64),
            "proc_id": np.array([one.process.proc_id for one in owners], dtype=np.int64),
            "tid": integers([one.tid for one in owners]),
            "name": strings([one.name for one in owners]),
            "first_ns": np.array([min(one.first_ns, one.last_ns) for one in owners], dtype=np.int64),
            "last_ns": np.array([one.last_ns for one in owners], dtype=np.int64),
        }
        pairs = np.array(list(self._stacks), dtype=np.int64).reshape(-1, 2)
        tables["stacks"] = {
            "stack_id": np.arange(len(pairs), dtype=np.int64),
            "parent_id": null_where(pairs[:, 0], pairs[:, 0] < 0),
            "frame_id": pairs[:, 1],
        }
        tables["frames"] = self._frames_table()
        return tables

    def _frames_table(self) -> Columns:
        frames = list(self._frames)
        names = demangled([frame.function for frame in frames if frame.kind == "native"])
        python = [frame.kind == "python" for frame in frames]
        return {
            "frame_id": np.arange(len(frames), dtype=np.int64),
            "kind": strings([frame.kind for frame in frames]),
            "function": strings(
                [
                    frame.function if is_python else plain_name(names.get(frame.function, frame.function))
                    for frame, is_python in zip(frames, python, strict=True)
                ]
            ),
            "module": strings(
                [
                    module_name(frame.file) if one and frame.file else None
                    for frame, one in zip(frames, python, strict=True)
                ]
            ),
            "file": strings([frame.file for frame in frames]),
            "line": integers([frame.line for frame in frames]),
            "binary": strings([frame.image for frame in frames]),
            "library": np.array([not is_own(frame) for frame in frames], dtype=bool),
        }


def _columns_of(table: str, rows: list[dict[str, Any]]) -> Columns:
    made: dict[str, np.ndarray[Any, Any]] = {}
    for name, kind in TABLES[table].items():
        values = [row.get(name) for row in rows]
        if kind == "VARCHAR":
            made[name] = strings(values)
        elif kind == "DOUBLE":
            made[name] = np.ma.masked_array(
                np.array([0.0 if value is None else value for value in values], dtype=np.float64),
                mask=[value is None for value in values],
            )
        elif kind == "UBIGINT":
            made[name] = np.ma.masked_array(
                np.array([value or 0 for value in values], dtype=np.uint64), mask=[value is None for value in values]
            )
        else:
            made[name] = integers(values)
    return made
