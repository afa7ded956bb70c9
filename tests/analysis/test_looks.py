"""Looks as arrays: grouped by thread, names as codes, and no more of them than say something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from storeprof.analysis.accounting import looks as module
from storeprof.analysis.accounting.looks import index_of, load_looks, load_threads
from storeprof.analysis.accounting.native_places import nearest_of
from storeprof.recording.model import Recording, write_meta
from storeprof.recording.schema import TABLES
from storeprof.recording.tables import strings, write_table

SECOND = 1_000_000_000
COUNT = 4000


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Two threads in turn, one look each 2.5 ms, on the CPU and asleep."""
    (tmp_path / "tables").mkdir()
    thread: np.ndarray[Any, Any] = np.arange(COUNT) % 2
    tables: dict[str, dict[str, Any]] = {
        "threads": {"thread_id": np.array([70, 60]), "first_ns": np.array([0, 1])},
        "looks": {
            "t_ns": np.arange(COUNT) * 2_500_000,
            "thread_id": np.where(thread == 0, 70, 60),
            "weight_ns": np.full(COUNT, 5_000_000),
            "reason": strings([("sleep", "a reason of a later version")[one] for one in thread.tolist()]),
            "quality": strings(["ok"] * COUNT),
            "faults": np.ones(COUNT, dtype=np.int64),
        },
    }
    for name in TABLES:
        write_table(duckdb.connect(), tmp_path / "tables", name, tables.get(name, {}))
    meta = {"format": 1, "state": "complete", "started_ns": 0, "ended_ns": 10 * SECOND, "machine": {"cpus_usable": 2}}
    write_meta(tmp_path, meta)
    return Recording.open(tmp_path)


def test_looks_are_ordered_by_thread_and_time(recording: Recording) -> None:
    """A thread is a slice of the looks, in order of time, under the index of its first sight."""
    looks = load_looks(recording, load_threads(recording))
    assert looks.of_thread(1) == slice(COUNT // 2, COUNT)
    assert np.all(np.diff(looks.t_ns[looks.of_thread(0)]) == 5_000_000)
    assert looks.because("sleep")[looks.of_thread(0)].all()


def test_a_reason_of_a_later_version_is_unknown(recording: Recording) -> None:
    """Names are only ever added within a format; one that is not known yet counts as `unknown`."""
    looks = load_looks(recording, load_threads(recording))
    assert looks.because("unknown")[looks.of_thread(1)].all()


def test_of_too_many_looks_some_stand_for_the_rest(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and faults add up to nearly the same, and what was seen in one slot of 5 ms stays together."""
    whole = load_looks(recording, load_threads(recording))
    monkeypatch.setattr(module, "MOST_LOOKS", 1000)
    some = load_looks(recording, load_threads(recording))
    assert COUNT / 4 * 0.8 < len(some) < COUNT / 4 * 1.2
    assert some.weight_ns.sum() == pytest.approx(whole.weight_ns.sum(), rel=0.2)
    assert some.faults.sum() == pytest.approx(whole.faults.sum(), rel=0.2)
    slots, seen = np.unique(some.t_ns // module.SLOT_NS, return_counts=True)
    assert set(seen.tolist()) == {2}
    assert len(np.unique(np.diff(slots))) > 1  # no fixed step that would beat with the program's timers


def test_identities_become_positions() -> None:
    """An id that is not among the threads is -1."""
    assert index_of(np.array([30, 10, 20]), np.array([10, 30, 99, -1])).tolist() == [1, 0, -1, -1]


def test_the_nearest_time_is_found() -> None:
    """Before the first and behind the last it is the end of the row; of two equally near ones the earlier."""
    assert nearest_of(np.array([10, 20, 40]), np.array([1, 15, 16, 31, 99])).tolist() == [0, 0, 1, 2, 2]
