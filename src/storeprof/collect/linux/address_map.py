"""The address-space map of a process from /proc/PID/smaps: what memory is there, by mapping.

Grammar of smaps: each mapping is a line `start-end perms offset dev inode [name]` followed by lines
`Key: N kB` (and `VmFlags: …`, `ProtectionKey: N`). A mapping without a name is anonymous memory.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from storeprof.errors import CollectorError

FIRST_LINE: Final = "# storeprof: /proc/PID/smaps (Linux) of pid {pid}, taken {taken}\n"
ANONYMOUS: Final = "[anon]"
_MAPPING: Final = re.compile(r"^[0-9a-f]+-[0-9a-f]+ [-rwxsp]{4} [0-9a-f]+ \S+ \d+\s*(.*)$")
_EXECUTABLE: Final = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-xp ([0-9a-f]+) \S+ \d+\s+(/.*)$", re.MULTILINE)
_AMOUNT: Final = re.compile(r"^(\w+):\s+(\d+) kB$")
_OTHER: Final = re.compile(r"^\w+:\s")
_COUNTED: Final = {"Size": 0, "Rss": 1, "Pss": 2, "Private_Dirty": 3, "Swap": 4}


@dataclass(frozen=True, slots=True)
class MappedMemory:
    """All mappings of one name, in bytes. `name` is a path, `[heap]`, `[stack]` …; `[anon]` without one."""

    name: str
    mappings: int
    size: int
    rss: int
    pss: int
    private_dirty: int
    swap: int


def snapshot(pid: int) -> bytes | None:
    """The text of /proc/PID/smaps; None when the process is gone, is a zombie, or may not be read by us."""
    try:
        return Path(f"/proc/{pid}/smaps").read_bytes() or None
    except OSError:
        return None


def write_snapshot(text: bytes, folder: Path, pid: int, taken: datetime) -> Path:
    """Keep a snapshot as evidence under the name its users know; the first line says what filled it."""
    path = folder / f"vmmap_analysis_{taken:%Y%m%d_%H%M%S}_{pid}.txt"
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(FIRST_LINE.format(pid=pid, taken=taken.isoformat(timespec="seconds")).encode() + text)
    return unfinished.replace(path)


def parse_smaps(text: bytes) -> list[MappedMemory]:
    """Sum a snapshot by name, largest resident first; raises CollectorError naming the line it can't read.

    A first line written by `write_snapshot` is passed over.
    """
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    mappings: dict[str, int] = defaultdict(int)
    name: str | None = None
    for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
        amount = _AMOUNT.match(line)
        if amount and name is not None:
            if amount[1] in _COUNTED:
                sums[name][_COUNTED[amount[1]]] += int(amount[2]) * 1024
        elif mapping := _MAPPING.match(line):
            name = mapping[1] or ANONYMOUS
            mappings[name] += 1
        elif not (line.startswith("#") or (name is not None and _OTHER.match(line))):
            raise CollectorError(f"smaps, line {number}: cannot be read: {line[:120]!r}")
    rows = [MappedMemory(name, count, *sums[name]) for name, count in mappings.items()]
    return sorted(rows, key=lambda row: (-row.rss, row.name))


def executable_mappings(maps: Path) -> list[list[Any]]:
    """[start, end, file offset, path] of each executable mapping of a file; empty when the process is gone."""
    try:
        text = maps.read_text(errors="replace")
    except OSError:
        return []
    return [[*(int(one, 16) for one in found[:3]), found[3]] for found in _EXECUTABLE.findall(text)]
