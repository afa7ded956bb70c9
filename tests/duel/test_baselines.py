"""Baselines: damaged files, two savings at a time, names."""

from __future__ import annotations

import json
import math
from itertools import count
from pathlib import Path
from threading import Barrier, Thread

import pytest

from compare_sides import a_side
from storeprof.duel.baselines import KEPT, load, names, save
from storeprof.errors import RecordingError, UsageError

NO_NUMBER = {"name": "throughput", "operation": None, "value": math.nan}


def test_the_newest_baseline_counts_and_the_old_ones_stay(tmp_path: Path) -> None:
    """A later saving of a name is what is loaded; the earlier ones stand beside it, up to a number."""
    clock = count(1)
    for rate in range(1, KEPT + 4):
        save(a_side(float(rate)), "main", tmp_path, lambda: next(clock))
    assert load("main", tmp_path)[0].runs[0].values["throughput", None] == KEPT + 3
    assert len(list((tmp_path / "main").iterdir())) == KEPT
    assert names(tmp_path) == ["main"]


def test_a_damaged_baseline_is_passed_over(tmp_path: Path) -> None:
    """The one before it is used, with a warning; when none can be read, that is said."""
    save(a_side(1.0), "main", tmp_path)
    broken = save(a_side(2.0), "main", tmp_path)
    broken.write_text(broken.read_text(encoding="utf-8")[:100], encoding="utf-8")
    found, warnings = load("main", tmp_path)
    assert found.runs[0].values["throughput", None] == 1.0
    assert str(broken) in warnings[0]
    for path in (tmp_path / "main").iterdir():
        path.write_text("{}", encoding="utf-8")
    with pytest.raises(RecordingError, match="none of its files can be read"):
        load("main", tmp_path)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("runs", []),
        ("runs", [{"started_ns": 0, "ended_ns": 1, "values": [NO_NUMBER]}]),
        ("about", {}),
        ("about", {"machine": None}),
        ("findings", [{}]),
    ],
)
def test_a_baseline_that_was_edited_is_damaged(tmp_path: Path, part: str, value: object) -> None:
    """What JSON is, but lacks what a comparison reads, is passed over like a broken file."""
    save(a_side(1.0), "main", tmp_path)
    edited = save(a_side(2.0), "main", tmp_path)
    document = json.loads(edited.read_text(encoding="utf-8"))
    edited.write_text(json.dumps(document | {part: value}), encoding="utf-8")
    found, warnings = load("main", tmp_path)
    assert (found.runs[0].values["throughput", None], len(warnings)) == (1.0, 1)


def test_a_baseline_of_a_newer_storeprof_says_so(tmp_path: Path) -> None:
    """Where nothing can be read the reason is said: here it is not the file that has to be mended."""
    path = save(a_side(1.0), "main", tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace('"format": 1', '"format": 9'), encoding="utf-8")
    with pytest.raises(RecordingError, match="upgrade storeprof"):
        load("main", tmp_path)


def test_a_clock_set_back_keeps_the_latest(tmp_path: Path) -> None:
    """What is saved last is what is loaded, though twenty earlier savings carry a later time."""
    for number in range(KEPT):
        save(a_side(1.0), "main", tmp_path, lambda number=number: 1000 + number)
    save(a_side(2.0), "main", tmp_path, lambda: 5)
    assert load("main", tmp_path)[0].runs[0].values["throughput", None] == 2.0


def test_savings_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Eight threads that save at once leave eight whole files and no partial one."""
    ready = Barrier(8)

    def saver(rate: float) -> None:
        ready.wait()
        save(a_side(rate), "main", tmp_path, lambda: 7)

    threads = [Thread(target=saver, args=(float(rate),)) for rate in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list((tmp_path / "main").glob("*.json"))) == 8
    assert not list((tmp_path / "main").glob("*.partial"))
    assert load("main", tmp_path)[1] == []


def test_names_are_plain_words(tmp_path: Path) -> None:
    """A name never leaves the folder, and an unknown one says which there are."""
    save(a_side(1.0), "main", tmp_path)
    for name in ("../main", "", ".hidden", "a/b"):
        with pytest.raises(UsageError, match="is no name"):
            save(a_side(1.0), name, tmp_path)
    with pytest.raises(UsageError, match="there is: main"):
        load("other", tmp_path)
