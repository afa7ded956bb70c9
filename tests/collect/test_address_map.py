"""The address-space map sums what the kernel says, by name, and keeps it as evidence."""

import mmap
import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from collect_support import DATA, is_gone

from storeprof.collect.linux.address_map import ANONYMOUS, parse_smaps, snapshot, write_snapshot
from storeprof.errors import CollectorError


def test_recorded_map() -> None:
    """The mappings of one file are one row, names may hold spaces, mappings without a name are anonymous."""
    text = (DATA / "smaps" / "python.txt").read_bytes()
    rows = {row.name: row for row in parse_smaps(text)}
    program = rows["/opt/engine (copy)/bin/python3.11"]
    assert (program.mappings, program.size, program.swap) == (5, 20480, 0)
    assert {ANONYMOUS, "[heap]", "[stack]"} <= set(rows)
    for field, key in (("size", b"Size:"), ("rss", b"Rss:"), ("private_dirty", b"Private_Dirty:")):
        lines = [line for line in text.splitlines() if line.startswith(key)]
        assert sum(getattr(row, field) for row in rows.values()) == 1024 * sum(int(line.split()[1]) for line in lines)


def test_own_map_grows_with_memory() -> None:
    """Sixteen megabytes that were written to show up as private, anonymous, resident memory."""

    def anonymous() -> int:
        text = snapshot(os.getpid())
        assert text is not None
        return sum(row.private_dirty for row in parse_smaps(text) if row.name == ANONYMOUS)

    before = anonymous()
    # Not a bytearray: the C library may take that from the heap, which has a name.
    with mmap.mmap(-1, 16 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        block.write(b"x" * len(block))
        assert anonymous() - before >= 0.9 * len(block)


def test_no_map_of_a_process_that_is_gone() -> None:
    """A process that has ended, or is a zombie, has no map."""
    process = subprocess.Popen(["true"])
    while not is_gone(process.pid):
        pass
    assert snapshot(process.pid) is None
    process.wait()
    assert snapshot(process.pid) is None


def test_evidence_names_its_source(tmp_path: Path) -> None:
    """The raw file has the name its users know, says first what filled it, and can be read again."""
    text = snapshot(os.getpid())
    assert text is not None
    path = write_snapshot(text, tmp_path, 42, datetime(2024, 5, 6, 7, 8, 9))
    assert path.name == "vmmap_analysis_20240506_070809_42.txt"
    first = "# storeprof: /proc/PID/smaps (Linux) of pid 42, taken 2024-05-06T07:08:09"
    assert path.read_text().splitlines()[0] == first
    assert parse_smaps(path.read_bytes()) == parse_smaps(text)


def test_an_unreadable_line_is_named() -> None:
    """What is no map is refused with the line's number and text."""
    with pytest.raises(CollectorError, match=r"^smaps, line 1: cannot be read: 'hello'$"):
        parse_smaps(b"hello\n")
