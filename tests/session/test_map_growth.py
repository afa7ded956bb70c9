"""Which mappings grew, between two snapshots of one process."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from storeprof.collect.linux.address_map import write_snapshot
from storeprof.session.map_growth import keep_first_map, map_growth

HEAP = "55d0c0000000-55d0c8000000 rw-p 00000000 00:00 0 [heap]\nSize: 131072 kB\nRss: {rss} kB\nPss: {rss} kB\n"
FILE = "7f0000000000-7f0000100000 r--p 00000000 08:01 42 /data/blocks\nSize: 1024 kB\nRss: 512 kB\nPss: 512 kB\n"


def snapshots(folder: Path, first: str, last: str, pids: tuple[int, int] = (7, 7)) -> None:
    """The first snapshot as the recorder keeps it, and the last one."""
    keep_first_map(first.encode(), folder, pids[0])
    keep_first_map(last.encode(), folder, pids[0])
    write_snapshot(last.encode(), folder, pids[1], datetime(2026, 1, 1))


def test_growth_is_the_difference_of_the_first_snapshot_and_the_last(tmp_path: Path) -> None:
    """The mapping that grew is named with its bytes; one that stayed is not."""
    snapshots(tmp_path, HEAP.format(rss=1000), HEAP.format(rss=5000) + FILE)
    result = map_growth(tmp_path)
    assert result is not None
    places = {one.stack[0][0]: one.value for one in result.figures if one.stack}
    assert places == {"[heap]": 4000 * 1024, "/data/blocks": 512 * 1024}
    assert result.figures[0].value == 4512 * 1024


def test_snapshots_of_two_processes_have_no_difference(tmp_path: Path) -> None:
    """The busiest process may change; a difference of two is no growth."""
    snapshots(tmp_path, HEAP.format(rss=1000), HEAP.format(rss=5000), (7, 8))
    assert map_growth(tmp_path) is None
    assert map_growth(tmp_path / "empty") is None
