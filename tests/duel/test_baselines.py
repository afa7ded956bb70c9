"""Baselines: damaged files, two savings at a time, names."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from threading import Barrier, Thread

import pytest

from compare_sides import a_side
from storeprof.duel.baselines import KEPT, load, names, save
from storeprof.errors import RecordingError, UsageError


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
