"""All probes that a program carries, entered or not: what it gave a name, and what was compiled into its binaries.

A Python probe has its name from the moment it is put in. A probe in C++ gets one when it is entered for the first time;
until then it is known by what the macro leaves in the binary (collect/linux/compiled_probes.py).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from storeprof.collect.linux.compiled_probes import CompiledProbe, compiled_probes
from storeprof.recording.journal import Journal
from storeprof.recording.schema import JournalTable
from storeprof.recording.tables import Columns, integers, strings
from storeprof.session.pretty_names import plain_name
from storeprof.session.tabulate import Identities, last_lines, process_lines
from storeprof.session.tabulate_scopes import short_names

Site = tuple[int, str, str, int]  # process, name as it was written, file, line


def probes_table(journal: Journal, ids: Identities) -> Columns:
    """Columns of `probes`: one row for each site in a process, with its calls in this run."""
    calls = _calls(journal)
    functions = _compiled(journal)
    sites = dict.fromkeys([*_named(journal, calls), *functions])
    rows = [{"name": name, "file": file, "line": line} for _, name, file, line in sites]
    full = [plain_name(name) if file and not file.endswith(".py") else name for _, name, file, _ in sites]
    return {
        "proc_id": ids.processes(np.array([process for process, *_ in sites], dtype=np.int64)),
        "name": strings(short_names(rows)),
        "full_name": strings([*full]),
        "function": strings([functions.get(site) for site in sites]),
        "file": strings([file or None for *_, file, _ in sites]),
        "line": integers([line or None for *_, line in sites]),
        "calls": np.array([calls.get(site, 0) for site in sites], dtype=np.int64),
    }


def _named(journal: Journal, calls: dict[Site, int]) -> list[Site]:
    """Sites that the program gave a name; memory tags, which look alike, are none."""
    lines = journal.lines[JournalTable.SCOPE_NODES]
    tags = {(row["process"], row["name"]) for row in lines if "tag" in row}
    sites = [_site(row) for row in lines if "site" in row]
    return [site for site in sites if site in calls or site[:2] not in tags]


def _site(row: dict[str, object]) -> Site:
    return int(str(row["process"])), str(row["name"]), str(row.get("file") or ""), int(str(row.get("line") or 0))


def _calls(journal: Journal) -> dict[Site, int]:
    """Calls of each site in this run: what was counted before an attached process was attached to is not of it."""
    rows = journal.packed[JournalTable.SCOPE_COUNTS]
    rows = rows[np.lexsort((rows["t_ns"], rows["node"]))]
    nodes, first = np.unique(rows["node"], return_index=True)
    last = np.concatenate([first[1:], [len(rows)]])[: len(first)] - 1
    count = dict(zip(nodes.tolist(), rows["count"][last].astype(np.int64).tolist(), strict=True))
    for number, line in process_lines(journal).items():
        mine = rows[first][rows["process"][first] == number]
        if line.get("before") and len(mine):
            for row in mine[mine["t_ns"] == mine["t_ns"].min()]:
                count[int(row["node"])] -= int(row["count"])
    found: dict[Site, int] = defaultdict(int)
    for number, node in last_lines(journal, JournalTable.SCOPE_NODES, "node").items():
        found[_site(node)] += count.get(number, 0)
    return found


def _compiled(journal: Journal) -> dict[Site, str]:
    """Sites in the binaries that each process had mapped, and the functions they stand in."""
    known: dict[str, list[CompiledProbe]] = {}
    found: dict[Site, str] = {}
    for number, row in process_lines(journal).items():
        for path in row.get("images", ()):
            if path not in known:
                known[path] = compiled_probes(Path(path))
            for probe in known[path]:
                found[number, probe.name, probe.file, probe.line] = plain_name(probe.function)
    return found
