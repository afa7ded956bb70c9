"""The recorder's side of `--operation`: what goes into the program's environment, and what came of each name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from storeprof.recording.journal import Journal
from storeprof.recording.schema import JournalTable
from storeprof.session.tabulate import last_lines

STARTUP = Path(__file__).parents[1] / "probe" / "startup"
REPORT = "operations-report.jsonl"


def startup_environment(names: tuple[str, ...], folder: Path, python_path: str | None) -> dict[str, str]:
    """Variables that make a Python program time the named functions; none without names."""
    if not names:
        return {}
    return {
        "PYTHONPATH": os.pathsep.join([str(STARTUP), *([python_path] if python_path else [])]),
        "STOREPROF_PYTHONPATH": python_path or "",
        "STOREPROF_OPERATIONS": ",".join(names),
        "STOREPROF_OPERATIONS_REPORT": str(folder.absolute() / REPORT),
    }


def operations_asked(folder: Path, asked: list[dict[str, Any]], journal: Journal) -> list[dict[str, Any]]:
    """What came of each name: `name`, `found`, and where it is not timed `reason` and `remedy`."""
    report = _lines(folder / REPORT)
    called = _called(journal)
    return [_row(str(one["name"]), report, called, journal) for one in asked]


def instrument_asked(folder: Path, asked: list[dict[str, Any]], journal: Journal) -> list[dict[str, Any]]:
    """What came of each pattern of `--instrument`: `name`, `functions` (how many), `reason`, `remedy`."""
    report = _lines(folder / REPORT)
    rows = []
    for pattern in (str(one["name"]) for one in asked):
        lines = [line for line in report if line.get("name") == pattern]
        functions = sum(len(line["functions"]) for line in lines)
        reason, remedy = None, None
        if not lines:
            reason, remedy = _not_loaded(pattern, report, journal)
        elif not functions:
            reason = next((line["why"] for line in lines if line.get("why")), "it defines no function of its own")
            remedy = "name the modules that do the work: 'package.*' is the package and all below it"
        rows.append({"name": pattern, "functions": functions, "reason": reason, "remedy": remedy})
    return rows


def _row(name: str, report: list[dict[str, Any]], called: set[str], journal: Journal) -> dict[str, Any]:
    lines = [line for line in report if line.get("name") == name]
    wrapped = next((line for line in lines if line["found"]), None)
    if wrapped:
        reason = None if wrapped["recorded"] in called else "it was never called"
        remedy = "name the function that the program calls for each operation"
    elif lines:
        reason, remedy = lines[-1]["why"], lines[-1]["remedy"]
    else:
        reason, remedy = _not_loaded(name, report, journal)
    return {"name": name, "found": wrapped is not None, "reason": reason, "remedy": remedy if reason else None}


def _not_loaded(name: str, report: list[dict[str, Any]], journal: Journal) -> tuple[str, str]:
    """Why nothing was said of a name at all."""
    refused = next((line["why"] for line in report if line.get("python") and line["why"]), None)
    if refused:
        return refused, "install storeprof for the Python that runs the program, and record with that one"
    if report:
        return (
            f"{name.split('.', maxsplit=1)[0]} was never imported",
            "correct the name: the module as the program imports it",
        )
    processes = last_lines(journal, JournalTable.PROCESSES, "process").values()
    # One that ends within milliseconds is not seen as Python inside: then its program's name tells.
    if any(
        not str(row.get("python_why")).startswith("no CPython") or Path(str(row.get("exe"))).name.startswith("python")
        for row in processes
    ):
        return (
            "the program's Python did not run storeprof's start-up file",
            "start it without -I, -E and -S, and leave PYTHONPATH to it; or use @profile_operation",
        )
    return "the program is no Python program", "C++ has PROFILE_OPERATION in storeprof/profile.hpp"


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError):
        return []


def _called(journal: Journal) -> set[str]:
    """Names of scopes that were entered and left."""
    counts = journal.packed[JournalTable.SCOPE_COUNTS]
    counted = set(counts["node"][counts["count"] > 0].tolist())
    nodes = last_lines(journal, JournalTable.SCOPE_NODES, "node")
    return {str(row["name"]) for number, row in nodes.items() if number in counted}
