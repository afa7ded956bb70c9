"""Resident memory and block I/O of a process, twice a second, from `/proc`: rows of the journal's table 12."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from storeprof.recording.schema import JOURNAL_DTYPES, UNKNOWN_BYTES, JournalTable

Frame = tuple[int, bytes]  # journal table, payload
PERIOD_NS = 490_000_000
_FIELDS = {
    "rss_bytes": ("status", r"^VmRSS:\s+(\d+) kB", 1024),
    "rss_peak_bytes": ("status", r"^VmHWM:\s+(\d+) kB", 1024),
    "read_bytes": ("io", r"^read_bytes: (\d+)", 1),
    "written_bytes": ("io", r"^write_bytes: (\d+)", 1),
}


class ProcessMemory:
    """Rows of one process under the journal number that its sampler gave it last (exec gives it another)."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self._process = 0
        self._due_ns = 0

    def take(self, drained: Iterable[Frame], t_ns: int) -> list[Frame]:
        """A row when one is due; nothing of a process that is ending. `drained`: what its sampler has just said."""
        for table, payload in drained:
            if table == JournalTable.PROCESSES:
                self._process = int(json.loads(payload.decode("utf-8", "replace").splitlines()[-1])["process"])
        if t_ns < self._due_ns:
            return []
        self._due_ns = t_ns + PERIOD_NS
        texts = {name: _text(self._folder / name) for name in ("status", "io")}
        row = np.zeros(1, dtype=JOURNAL_DTYPES[JournalTable.MEMORY])
        row["t_ns"], row["process"] = t_ns, self._process
        for field, (file, pattern, unit) in _FIELDS.items():
            found = re.search(pattern, texts[file], re.MULTILINE)
            if found is None and file == "status":
                return []
            row[field] = int(found[1]) * unit if found else UNKNOWN_BYTES
        row["rss_peak_bytes"] = np.maximum(row["rss_peak_bytes"], row["rss_bytes"])
        return [(JournalTable.MEMORY, row.tobytes())]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
