"""Journal rows of the probes -> columns: scope tree, one-second slices, histograms, operations, memory tags."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.observe.modules import module_name
from storeprof.recording.journal import Journal
from storeprof.recording.schema import JournalTable
from storeprof.recording.tables import Columns, integers, null_where, strings
from storeprof.session.pretty_names import plain_name
from storeprof.session.tabulate import Identities, last_lines, process_lines

Array = np.ndarray[Any, Any]
STEPS = 16


def scope_nodes_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `scope_nodes`; flags are the last ones counted."""
    rows = last_lines(journal, JournalTable.SCOPE_NODES, "node")
    flags: dict[int, int] = {}
    for row in journal.packed[JournalTable.SCOPE_COUNTS]:
        flags[int(row["node"])] = flags.get(int(row["node"]), 0) | int(row["flags"])
    values = list(rows.values())
    return {
        "node": np.array(list(rows), dtype=np.int64),
        "proc_id": ids.processes(np.array([row["process"] for row in values], dtype=np.int64)),
        "parent": np.array([row["parent"] for row in values], dtype=np.int64),
        "name": strings(short_names(values)),
        "file": strings([row.get("file") or None for row in values]),
        "line": integers([row.get("line") or None for row in values]),
        "flags": np.array([flags.get(number, 0) for number in rows], dtype=np.int64),
    }


def short_names(rows: list[dict[str, Any]]) -> list[str | None]:
    """Names without their module (`StorageImpl.write`), where that still tells them apart."""
    full = [_plain_name(row) for row in rows]
    short = [_without_module(row, name) for row, name in zip(rows, full, strict=True)]
    meanings: dict[str, set[str]] = {}
    for name, whole in zip(short, full, strict=True):
        meanings.setdefault(name, set()).add(whole)
    return [name if len(meanings[name]) == 1 else whole for name, whole in zip(short, full, strict=True)]


def _plain_name(row: dict[str, Any]) -> str:
    name, file = str(row["name"]), str(row.get("file") or "")
    return plain_name(name) if file and not file.endswith(".py") else name  # without a file: a scope in Python


def _without_module(row: dict[str, Any], name: str) -> str:
    file = str(row.get("file") or "")
    prefix = f"{module_name(file)}." if file.endswith(".py") else ""
    return name[len(prefix) :] if prefix and name.startswith(prefix) else name


def counted_before(journal: Journal, process: Array, t_ns: Array) -> Array:
    """Whether rows hold what a probe had counted when its process was attached to, which is not of this run."""
    counts = journal.packed[JournalTable.SCOPE_COUNTS]
    result = np.zeros(len(t_ns), dtype=bool)
    for number, row in process_lines(journal).items():
        mine = counts["t_ns"][counts["process"] == number]
        if row.get("before") and len(mine):
            result |= (process == number) & (t_ns == mine.min())
    return result


def _rhythm(rows: Array, starts: int) -> Array:
    """When each row's process was counted the time before; `starts` for its first time."""
    result = np.full(len(rows), starts, dtype=np.int64)
    for process in np.unique(rows["process"]).tolist():
        mine = rows["process"] == process
        ticks, at = np.unique(rows["t_ns"][mine], return_inverse=True)
        result[mine] = np.concatenate([[starts], ticks[:-1].astype(np.int64)])[at]
    return result


def scope_slices_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `scope_slices`: all of the slices but those of locks."""
    columns = _slices(journal, ids)
    scopes = ~np.isin(columns["node"], list(_stays(journal)))
    return {name: values[scopes] for name, values in columns.items()}


def lock_stays_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `lock_stays`: per lock and scope it was taken in, how often and long it was waited for and held."""
    stays = _stays(journal)
    columns = _slices(journal, ids)
    mine = np.isin(columns["node"], list(stays))
    kept = {name: values[mine] for name, values in columns.items()}
    lines = [stays[node] for node in kept["node"].tolist()]
    return {
        "lock": strings([line["name"] for line in lines]),
        "kind": strings([line["kind"] for line in lines]),
        **{name: kept[name] for name in ("proc_id", "t0_ns", "t1_ns", "count", "timed", "total_ns", "max_ns")},
        "node": np.array([line["parent"] for line in lines], dtype=np.int64),
    }


def _stays(journal: Journal) -> dict[int, dict[str, Any]]:
    return last_lines(journal, JournalTable.SCOPE_NODES, "stay")


def _slices(journal: Journal, ids: Identities) -> dict[str, Array]:
    """Differences between a node's consecutive cumulative rows, as columns of `scope_slices`.

    A node's first row counts from the row before it in its process's once-a-second rhythm, whichever node wrote it.
    Counts are exact. Where the probe's budget let only some of the calls be timed, totals are theirs times calls over
    timed calls: operations are chosen as a whole and at random, so that every call has the same chance.
    """
    rows = journal.packed[JournalTable.SCOPE_COUNTS]
    rows = rows[np.lexsort((rows["t_ns"], rows["node"]))]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = rows["node"][1:] != rows["node"][:-1]
    t1 = rows["t_ns"].astype(np.int64)
    rhythm = _rhythm(rows, _started(journal))

    def grown(name: str) -> Array:
        values = rows[name].astype(np.int64)
        return np.where(first, values, values - np.concatenate([[0], values[:-1]])) if len(values) else values

    ns_per_tick = ids.ticks.factors(rows["process"])
    count, timed = grown("count"), grown("timed")

    def in_ns(ticks: Array) -> Array:
        return np.round(ticks * ns_per_tick).astype(np.int64)

    def of_all_calls(name: str) -> Array:
        per_timed = rows[name] / np.maximum(rows["timed"], 1)  # where none was timed in this second: the mean so far
        return np.where(timed > 0, grown(name) * (count / np.maximum(timed, 1)), count * per_timed)

    columns = {
        "proc_id": ids.processes(rows["process"]),
        "node": rows["node"].astype(np.int64),
        "t0_ns": np.minimum(rhythm, t1 - 1),
        "t1_ns": t1,
        "count": count,
        "estimated_count": count.astype(np.float64),
        "total_ns": in_ns(of_all_calls("total_ticks")),
        "self_ns": in_ns(of_all_calls("self_ticks")),
        "min_ns": null_where(in_ns(rows["min_ticks"]), rows["timed"] == 0),
        "max_ns": null_where(in_ns(rows["max_ticks"]), rows["timed"] == 0),
        "timed": timed,
    }
    of_this_run = ~counted_before(journal, rows["process"], rows["t_ns"])
    return {name: values[of_this_run] for name, values in columns.items()}


def _started(journal: Journal) -> int:
    looks = journal.packed[JournalTable.LOOKS]
    return int(looks["t_ns"].min()) if len(looks) else 0


def bucket_edges(bucket: Array) -> tuple[Array, Array]:
    """Lower and upper edges in ticks of histogram buckets (docs/formats/shared-memory.md)."""

    def lower(number: Array) -> Array:
        octave = np.maximum(number // STEPS - 1, 0)
        return np.where(number < STEPS, number, (STEPS + number % STEPS) * 2.0**octave).astype(np.float64)

    return lower(bucket), lower(bucket + 1)


def scope_histograms_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `scope_histograms`, edges turned from ticks to ns."""
    rows = journal.packed[JournalTable.SCOPE_HISTOGRAMS]
    process = ids.nodes.processes_of(rows["node"])
    of_this_run = ~counted_before(journal, process, rows["t_ns"]) & ~np.isin(rows["node"], list(_stays(journal)))
    rows, process = rows[of_this_run], process[of_this_run]
    ns_per_tick = ids.ticks.factors(process)
    low, high = bucket_edges(rows["bucket"].astype(np.int64))
    return {
        "node": rows["node"].astype(np.int64),
        "t1_ns": rows["t_ns"].astype(np.int64),
        "low_ns": low * ns_per_tick,
        "high_ns": high * ns_per_tick,
        "count": rows["count"].astype(np.int64),
    }


def operations_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `operations`."""
    rows = journal.packed[JournalTable.OPERATIONS]
    processes = ids.processes_of(rows["thread"])
    return {
        "thread_id": ids.threads(rows["thread"]),
        "op_seq": rows["op_seq"].astype(np.int64),
        "node": ids.scope_nodes(rows["thread"], rows["record"]),
        "start_ns": ids.ticks.moments(rows["start_ticks"], processes),
        "duration_ns": np.round(rows["duration_ticks"] * ids.ticks.factors(processes)).astype(np.int64),
        "hit": rows["hit"] == 1,
        "weight": rows["weight_x1000"] / 1000.0,
    }


def probe_slices_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `probe_slices`: stretches of operations that were timed, or only counted, and their CPU time."""
    rows = journal.packed[JournalTable.PROBE_SLICES]
    return {
        "proc_id": ids.processes(rows["process"]),
        "block": rows["block"].astype(np.int64),
        "number": rows["number"].astype(np.int64),
        "t1_ns": rows["t_ns"].astype(np.int64),
        "operations": rows["operations"].astype(np.int64),
        "counted_only": rows["counted_only"] == 1,
        "cpu_ns": rows["cpu_ns"].astype(np.int64),
    }


def memory_tags_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `memory_tags`: cumulative, all scopes together."""
    columns, lines = _tag_rows(journal, ids, by_scope=False)
    return {**columns, "tag": strings([line.get("name") for line in lines])}


def memory_tag_paths_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `memory_tag_paths`: cumulative, by the scope that the macro or call stands in (0: outside any)."""
    columns, lines = _tag_rows(journal, ids, by_scope=True)
    kept = {name: values for name, values in columns.items() if name not in ("live_bytes", "peak_most_bytes")}
    node = np.array([line["at"] for line in lines], dtype=np.int64)
    return {**kept, "tag": strings([line.get("name") for line in lines]), "node": node}


def _tag_rows(journal: Journal, ids: Identities, by_scope: bool) -> tuple[dict[str, Array], list[dict[str, Any]]]:
    """Columns of the rows of tags that are counted by scope, or of those that are not, and the line that names each."""
    rows = journal.packed[JournalTable.MEMORY_TAGS]
    lines = {(row["process"], row["tag"]): row for row in journal.lines[JournalTable.SCOPE_NODES] if "tag" in row}
    found = [lines.get(key, {}) for key in zip(rows["process"].tolist(), rows["tag"].tolist(), strict=True)]
    kept = np.array([("at" in line) == by_scope for line in found], dtype=bool)
    rows, found = rows[kept], [line for line, one in zip(found, kept.tolist(), strict=True) if one]
    counters = ("allocations", "allocated_bytes", "frees", "freed_bytes", "live_bytes", "peak_most_bytes")
    columns = {
        "t_ns": rows["t_ns"].astype(np.int64),
        "proc_id": ids.processes(rows["process"]),
        **{name: rows[name].astype(np.int64) for name in counters},
    }
    return columns, found
