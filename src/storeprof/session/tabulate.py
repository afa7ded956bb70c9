"""Journal rows -> columns of the tables, identities put in; what an outside tool adds comes in `native_tables`."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.observe.classify import DESCRIPTOR_CALLS, FLAG_COLLECTS_GARBAGE, Wait, reason, resource_kind
from storeprof.observe.modules import is_library, module_name
from storeprof.recording.identity import process_id, thread_id
from storeprof.recording.journal import Journal
from storeprof.recording.schema import NONE, QUALITIES, UNKNOWN_BYTES, JournalTable
from storeprof.recording.tables import Columns, integers, null_where, strings
from storeprof.session.probe_ticks import ProbeTicks
from storeprof.session.scope_records import ScopeRecords

Array = np.ndarray[Any, Any]
LOCK_BYTES = 56  # the largest of glibc's locks


@dataclass(frozen=True)
class Identities:
    """Journal numbers -> identities: arrays indexed by process and thread number; -1 where a number is unknown."""

    proc_ids: Array
    thread_ids: Array
    process_of_thread: Array
    ticks: ProbeTicks
    nodes: ScopeRecords

    def threads(self, numbers: Array) -> Array:
        """Identities of thread numbers; -1 for NONE and unknown ones."""
        known = numbers < len(self.thread_ids)
        return np.where(known, self.thread_ids[np.where(known, numbers, 0)] if len(self.thread_ids) else -1, -1)

    def processes(self, numbers: Array) -> Array:
        """Identities of process numbers; -1 for unknown ones."""
        known = numbers < len(self.proc_ids)
        return np.where(known, self.proc_ids[np.where(known, numbers, 0)] if len(self.proc_ids) else -1, -1)

    def processes_of(self, threads: Array) -> Array:
        """Process numbers of thread numbers; -1 for unknown ones."""
        known = threads < len(self.process_of_thread)
        return np.where(known, self.process_of_thread[np.where(known, threads, 0)] if len(known) else -1, -1)

    def scope_nodes(self, threads: Array, records: Array) -> Array:
        """Nodes of the process-wide trees that records in these threads' probes belong to; 0 for none."""
        return self.nodes.of_records(self.processes_of(threads), records)


def last_lines(journal: Journal, table: JournalTable, key: str) -> dict[int, dict[str, Any]]:
    """JSON lines by their number; later lines add to and replace earlier ones."""
    result: dict[int, dict[str, Any]] = {}
    for line in journal.lines[table]:
        if key in line:
            result.setdefault(int(line[key]), {}).update(line)
    return result


def process_lines(journal: Journal) -> dict[int, dict[str, Any]]:
    """Processes by their number, those left out of which nothing but the parent was written."""
    rows = last_lines(journal, JournalTable.PROCESSES, "process")
    return {number: row for number, row in rows.items() if "pid" in row}


def identify(journal: Journal, boot: str) -> Identities:
    """Work out the identity of every process and thread of a journal."""
    processes = process_lines(journal)
    threads = last_lines(journal, JournalTable.THREADS, "thread")
    proc_ids = np.full(max(processes, default=-1) + 1, -1, dtype=np.int64)
    for number, row in processes.items():
        proc_ids[number] = process_id(boot, row["pid"], row["start_ticks"], row.get("exec", 0))
    thread_ids = np.full(max(threads, default=-1) + 1, -1, dtype=np.int64)
    process_of = np.zeros(len(thread_ids), dtype=np.int64)
    for number, row in threads.items():
        process = row.get("process", 0)
        owner = int(proc_ids[process]) if process < len(proc_ids) else -1
        thread_ids[number] = thread_id(owner, row["tid"], row["start_ticks"])
        process_of[number] = process
    return Identities(proc_ids, thread_ids, process_of, ProbeTicks.of(journal, processes), ScopeRecords.of(journal))


def processes_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `processes`."""
    rows = process_lines(journal)
    values = list(rows.values())
    probe = np.array([bool(row.get("probe")) for row in values], dtype=bool)
    ns_per_tick = ids.ticks.factors(np.array(list(rows), dtype=np.int64))
    # exec keeps the parent, which is noted with the first of a process's programs.
    parents = {(row["pid"], row["start_ticks"]): row.get("ppid") for row in values if "ppid" in row}
    mains = last_lines(journal, JournalTable.THREADS, "thread").values()
    names = {row["process"]: row["name"] for row in mains if row["tid"] == rows.get(row["process"], {}).get("pid")}
    return {
        "proc_id": ids.proc_ids[list(rows)] if rows else np.array([], dtype=np.int64),
        "pid": integers([row["pid"] for row in values]),
        "start_ticks": integers([row["start_ticks"] for row in values]),
        "exec": integers([row.get("exec", 0) for row in values]),
        "exe": strings([row.get("exe") for row in values]),
        "python": strings([row.get("python") for row in values]),
        "python_why": strings([row.get("python_why") for row in values]),
        "probe": probe,
        "ticks_per_s": null_where(1e9 / ns_per_tick, ~probe),
        "probe_floor_ns": _cost_ns(values, "floor_ticks", ns_per_tick),
        "ppid": integers([parents.get((row["pid"], row["start_ticks"])) for row in values]),
        "name": strings([names.get(number) for number in rows]),
        "counted_floor_ns": _cost_ns(values, "counted_ticks", ns_per_tick),
        "tag_floor_ns": _cost_ns(values, "tag_ticks", ns_per_tick),
        "function_floor_ns": _cost_ns(values, "function_ns", 1.0),
        "block_floor_ns": _cost_ns(values, "block_ns", 1.0),
        "tag_call_floor_ns": _cost_ns(values, "tag_call_ns", 1.0),
        "detached": strings([", ".join(row.get("detached", ())) or None for row in values]),
        "detached_ns": integers([row.get("detached_ns") for row in values]),
    }


def _cost_ns(rows: list[dict[str, Any]], name: str, ns_per_tick: Array | float) -> Array:
    """What the probe costs, by one of the figures of its header; null where that was not measured."""
    ticks = np.array([row.get(name) or 0.0 for row in rows], dtype=np.float64)
    return null_where(ticks * ns_per_tick, ticks == 0)


def threads_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `threads`; first and last sight are those of the control totals."""
    rows = last_lines(journal, JournalTable.THREADS, "thread")
    times = journal.packed[JournalTable.THREAD_TIME]
    looks = journal.packed[JournalTable.LOOKS]
    numbers = np.concatenate([times["thread"], looks["thread"]]).astype(np.int64)
    seen = np.concatenate([times["t_ns"], looks["t_ns"]]).astype(np.int64)
    size = int(numbers.max()) + 1 if len(numbers) else 0
    first, last = np.full(size, np.iinfo(np.int64).max), np.full(size, -1, dtype=np.int64)
    np.minimum.at(first, numbers, seen)
    np.maximum.at(last, numbers, seen)
    kept = [number for number in rows if number < size and last[number] >= 0]
    return {
        "thread_id": ids.thread_ids[kept] if kept else np.array([], dtype=np.int64),
        "proc_id": ids.processes(ids.process_of_thread[kept]) if kept else np.array([], dtype=np.int64),
        "tid": integers([rows[number]["tid"] for number in kept]),
        "start_ticks": integers([rows[number]["start_ticks"] for number in kept]),
        "name": strings([rows[number].get("name") for number in kept]),
        "first_ns": first[kept],
        "last_ns": last[kept],
    }


def thread_time_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `thread_time`: differences between a thread's consecutive rows."""
    rows = journal.packed[JournalTable.THREAD_TIME]
    rows = rows[np.lexsort((rows["t_ns"], rows["thread"]))]
    before, after = rows[:-1], rows[1:]
    same = (before["thread"] == after["thread"]) & (after["t_ns"] > before["t_ns"])
    before, after = before[same], after[same]

    def grown(name: str) -> Array:
        difference: Array = after[name].astype(np.int64) - before[name].astype(np.int64)
        return np.maximum(difference, 0)

    counters = ("run_ns", "delay_ns", "minflt", "majflt", "voluntary_switches", "involuntary_switches")
    return {
        "thread_id": ids.threads(after["thread"]),
        "t0_ns": before["t_ns"].astype(np.int64),
        "t1_ns": after["t_ns"].astype(np.int64),
        **{name: grown(name) for name in counters},
    }


def stacks_table(journal: Journal) -> Columns:
    """Columns of `stacks` for Python."""
    rows = journal.packed[JournalTable.STACKS]
    return {
        "stack_id": rows["stack"].astype(np.int64),
        "parent_id": null_where(rows["parent"].astype(np.int64), rows["parent"] == NONE),
        "frame_id": rows["frame"].astype(np.int64),
    }


def frames_table(journal: Journal) -> Columns:
    """Columns of `frames` for Python."""
    rows = last_lines(journal, JournalTable.FRAMES, "frame")
    values = list(rows.values())
    return {
        "frame_id": np.array(list(rows), dtype=np.int64),
        "kind": strings(["python"] * len(rows)),
        "function": strings([row["function"] for row in values]),
        "module": strings([module_name(row["file"]) for row in values]),
        "file": strings([row["file"] for row in values]),
        "line": integers([row["line"] or None for row in values]),
        "first_line": integers([row["first_line"] or None for row in values]),
        "library": np.array([is_library(row["file"]) for row in values], dtype=bool),
    }


def looks_table(journal: Journal, ids: Identities, resources: dict[int, tuple[str, str]]) -> Columns:
    """Columns of `looks`, reasons decided.

    `resources` (number -> kind, name) is added to: a lock is a resource known by its address.
    """
    rows = journal.packed[JournalTable.LOOKS].copy()
    # The sampler looks up every small first argument; only for some calls is it a descriptor.
    rows["resource"][~np.isin(rows["syscall"], list(DESCRIPTOR_CALLS))] = NONE
    reasons = _reasons(journal, rows, resources)
    nothing = rows["resource"] == NONE
    resource = np.where(nothing, -1, _first_of_name(resources)[np.where(nothing, 0, rows["resource"])])
    resource = _lock_resources(journal, rows, reasons, resource, resources)
    holder = ids.threads(rows["holder"])
    node = ids.scope_nodes(rows["thread"], rows["scope_record"])
    return {
        "t_ns": rows["t_ns"].astype(np.int64),
        "thread_id": ids.threads(rows["thread"]),
        "weight_ns": rows["weight_ns"].astype(np.int64),
        "state": strings([chr(value) for value in rows["state"].tolist()]),
        "reason": reasons,
        "syscall": null_where(rows["syscall"].astype(np.int64), rows["syscall"] == -2),
        "arg0": rows["arg0"],
        "arg1": rows["arg1"],
        "resource_id": null_where(resource, resource < 0),
        "holder_thread_id": null_where(holder, holder < 0),
        "scope_node": null_where(node, node == 0),
        "op_seq": null_where(rows["op_seq"].astype(np.int64), rows["op_seq"] == 0),
        "py_stack_id": _none_to_null(rows["py_stack"]),
        "quality": strings([QUALITIES[min(value, 4)] for value in rows["py_status"].tolist()]),
        "gc": (rows["flags"] & FLAG_COLLECTS_GARBAGE) != 0,
        "faults": rows["faults"].astype(np.int64),
    }


def _none_to_null(values: Array) -> Array:
    return null_where(values.astype(np.int64), values == NONE)


def _reasons(journal: Journal, rows: Array, resources: dict[int, tuple[str, str]]) -> Array:
    """Classify each distinct situation once."""
    stacks = {int(row["stack"]): (int(row["parent"]), int(row["frame"])) for row in journal.packed[JournalTable.STACKS]}
    frames = last_lines(journal, JournalTable.FRAMES, "frame")
    kinds: dict[tuple[Any, ...], str] = {}
    result = np.empty(len(rows), dtype=object)
    columns = [rows[name].tolist() for name in ("state", "syscall", "arg1", "arg2", "flags", "resource", "py_stack")]
    for i, (state, syscall, arg1, arg2, flags, resource, stack) in enumerate(zip(*columns, strict=True)):
        letter = chr(state)
        if letter == "R" or syscall == -2:
            result[i] = "running"
            continue
        key = (letter, syscall, arg1, arg2 != 0 and min(arg2, 4), flags & 1, resource, stack)
        if key not in kinds:
            spelled, source = _leaf_frames(stack, stacks, frames)
            descriptor = resources[resource][0] if resource in resources else None
            kinds[key] = reason(Wait(letter, syscall, arg1, arg2, flags, descriptor, spelled, source))
        result[i] = kinds[key]
    return result


def _leaf_frames(
    stack: int, stacks: dict[int, tuple[int, int]], frames: dict[int, dict[str, Any]]
) -> tuple[tuple[tuple[str, str], ...], str]:
    """The youngest frames as (function, file), and the source line of the leaf."""
    spelled: list[tuple[str, str]] = []
    source = ""
    while stack in stacks and len(spelled) < 12:
        stack, frame = stacks[stack]
        row = frames.get(frame)
        if row is None:
            break
        if not spelled:
            source = linecache.getline(row["file"], row["line"]) if row["line"] else ""
        spelled.append((row["function"], row["file"]))
    return tuple(spelled), source


def _lock_resources(
    journal: Journal, rows: Array, reasons: Array, resource: Array, resources: dict[int, tuple[str, str]]
) -> Array:
    waiting = (reasons == "lock") & (rows["syscall"] == 202)
    number = max(resources, default=-1)
    named = _lock_names(journal)
    result = resource.copy()
    for address in np.unique(rows["arg0"][waiting]).tolist():
        number += 1
        resources[number] = ("lock", _lock_name(named, address) or f"lock at {address:#x}")
        result[waiting & (rows["arg0"] == address)] = number
    return result


def _lock_names(journal: Journal) -> dict[int, str]:
    """Names that programs gave their locks, by address."""
    rows = process_lines(journal).values()
    return {int(address, 16): name for row in rows for address, name in row.get("locks", {}).items()}


def _lock_name(named: dict[int, str], address: int) -> str | None:
    """The name of a lock that has this address in it: a reader-writer lock is waited for at a word inside."""
    within = [start for start in named if start <= address < start + LOCK_BYTES]
    return named[max(within)] if within else None


def resources_of(journal: Journal) -> dict[int, tuple[str, str]]:
    """Resources by number: kind and name."""
    rows = last_lines(journal, JournalTable.RESOURCES, "resource")
    return {number: (resource_kind(row["name"]), row["name"]) for number, row in rows.items()}


def _first_of_name(resources: dict[int, tuple[str, str]]) -> Array:
    """For each number the first one of the same name: processes may wait for one file."""
    first: dict[tuple[str, str], int] = {}
    result = np.arange(max(resources, default=0) + 1, dtype=np.int64)
    for number, named in resources.items():
        result[number] = first.setdefault(named, number)
    return result


def resources_table(resources: dict[int, tuple[str, str]]) -> Columns:
    """Columns of `resources`."""
    return {
        "resource_id": np.array(list(resources), dtype=np.int64),
        "kind": strings([kind for kind, _ in resources.values()]),
        "name": strings([name for _, name in resources.values()]),
    }


def memory_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `memory`."""
    rows = journal.packed[JournalTable.MEMORY]
    kinds = {
        "rss": "rss_bytes",
        "rss_peak": "rss_peak_bytes",
        "read": "read_bytes",
        "written": "written_bytes",
    }
    parts = [(kind, rows[rows[name] != UNKNOWN_BYTES], name) for kind, name in kinds.items()]
    return {
        "t_ns": np.concatenate([part["t_ns"].astype(np.int64) for _, part, _ in parts]),
        "proc_id": np.concatenate([ids.processes(part["process"]) for _, part, _ in parts]),
        "kind": strings([kind for kind, part, _ in parts for _ in range(len(part))]),
        "bytes": np.concatenate([part[name].astype(np.int64) for _, part, name in parts]),
    }
