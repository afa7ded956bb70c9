"""Which mappings grew between the first and the last look at a process's address space (/proc/PID/smaps)."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from storeprof.collect.linux.address_map import MappedMemory, parse_smaps, write_snapshot
from storeprof.collect.pass_tool import Figure, PassResult
from storeprof.errors import CollectorError

NAME = "smaps"
_PID = re.compile(r"_(\d+)\.txt$")


def keep_first_map(text: bytes, folder: Path, pid: int) -> None:
    """Keep the first snapshot of a recording as raw evidence."""
    raw = folder / "raw"
    raw.mkdir(exist_ok=True)
    if not list(raw.glob("vmmap_analysis_*.txt")):
        write_snapshot(text, raw, pid, datetime.now())


def map_growth(folder: Path) -> PassResult | None:
    """Bytes by which mappings grew, largest first; None where two snapshots of one process do not exist.

    Raises CollectorError naming the line of a snapshot that can't be read.
    """
    first = next(iter(sorted((folder / "raw").glob("vmmap_analysis_*.txt"))), None)
    last = next(iter(sorted(folder.glob("vmmap_analysis_*.txt"))), None)
    if first is None or last is None or _pid(first) != _pid(last):
        return None
    before = {row.name: row for row in _read(first)}
    after = {row.name: row for row in _read(last)}
    grown = [(name, row, before.get(name)) for name, row in after.items()]
    changes = [(name, row.rss - (old.rss if old else 0)) for name, row, old in grown]
    whole = sum(row.rss for row in after.values()) - sum(row.rss for row in before.values())
    figures = [Figure("resident, change of all", float(whole), "bytes", (), "memory")]
    for name, change in sorted(changes, key=lambda one: -one[1]):
        if change > 0:
            figures.append(Figure("resident, growth", float(change), "bytes", ((name, None, None),), "memory"))
    return PassResult(figures, ["between the first and the last snapshot of /proc/PID/smaps of the busiest process"])


def growth_row(result: PassResult | None) -> dict[str, Any]:
    """What recording.json says of it, beside the passes."""
    reason = None if result else "the program ended before a second snapshot of its address space"
    remedy = None if result else "record 2 s or longer"
    return {
        "pass": "recording", "collector": NAME, "collects": ["memory"], "own_run": False, "ran": result is not None,
        "reason": reason, "remedy": remedy, "seconds": None, "operations": None, "ended": None, "status": None,
        "notes": [],
    }  # fmt: skip


def _read(path: Path) -> list[MappedMemory]:
    try:
        return parse_smaps(path.read_bytes())
    except OSError as error:
        raise CollectorError(f"{path.name}: can't be read ({error.strerror})") from None


def _pid(path: Path) -> str:
    found = _PID.search(path.name)
    return found[1] if found else ""
