"""The view of a recording: its tables hold what the accounts say, whatever is selected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_speed import make_recording

from storeprof.analysis.accounting.charges import CPU, IO, LOCK
from storeprof.analysis.context import build_context
from storeprof.analysis.settings import Settings
from storeprof.recording.model import Recording
from storeprof.views.allocated import operation_of_nodes
from storeprof.views.bins import Bins, bins_of
from storeprof.views.calls import Folded
from storeprof.views.native_below import _shares
from storeprof.views.over_time import _latency_rows
from storeprof.views.view import View, view_of
from views.made_up import HOSTILE, MS, SECONDS, START, context, make


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    """The view of the made-up recording."""
    return view_of(context(make(tmp_path_factory.mktemp("view") / "recording")))


def seconds(view: View, mask: Any) -> float:
    """Busy time of the masked rows of the table `wall`."""
    return float(view.tables["wall"]["weight"][mask].sum()) * view.header["unit_ns"] / 1e9


def function_of_rows(view: View) -> list[str]:
    """Name of the function at the leaf of each row of `wall`."""
    functions = [row[0] for row in view.header["functions"]]
    return [functions[view.tables["nodes"]["function"][node]] for node in view.tables["wall"]["node"].tolist()]


def test_the_rows_add_up_to_the_busy_time(view: View) -> None:
    """Thread 1 is busy all the time, thread 2 a quarter of it; what is idle or sleeping in the loop is not in it."""
    wall = view.tables["wall"]
    assert seconds(view, wall["thread"] == 0) == pytest.approx(SECONDS, rel=0.01)
    assert seconds(view, (wall["thread"] == 0) & (wall["category"] == CPU)) == pytest.approx(SECONDS / 2, rel=0.02)
    assert seconds(view, (wall["thread"] == 0) & (wall["category"] == IO)) == pytest.approx(SECONDS / 4, rel=0.02)
    assert seconds(view, (wall["thread"] == 0) & (wall["category"] == LOCK)) == pytest.approx(SECONDS / 4, rel=0.02)
    assert seconds(view, (wall["thread"] == 1) & (wall["category"] == CPU)) == pytest.approx(SECONDS / 4, rel=0.02)


def test_time_stands_at_its_function_operation_and_resource(view: View) -> None:
    """A row knows the calling context, the operation it lies in, and what was waited for."""
    wall, names = view.tables["wall"], function_of_rows(view)
    disk, lock = wall["category"] == IO, wall["category"] == LOCK
    assert {names[at] for at in np.flatnonzero(disk)} == {"Wal.sync"}
    assert {view.header["waits"][at]["name"] for at in wall["wait"][disk].tolist()} == {"/data/wal.log"}
    assert {view.header["waits"][at]["call"] for at in wall["wait"][disk].tolist()} == {"fsync"}
    assert {view.header["waits"][at]["name"] for at in wall["wait"][lock].tolist()} == {HOSTILE}
    assert view.header["operations"] == ["put"]
    assert set(wall["operation"][wall["thread"] == 0].tolist()) == {1}
    assert set(wall["operation"][wall["thread"] == 1].tolist()) == {0}


def test_parents_come_before_their_children(view: View) -> None:
    """A reader can walk the nodes once, in order."""
    parent = view.tables["nodes"]["parent"]
    assert (parent[1:] < np.arange(1, len(parent))).all()


def test_a_lock_has_its_waiters_and_what_ran_meanwhile(view: View) -> None:
    """The waiter is thread 1 in `put`, beside it thread 2 was running."""
    functions = [row[0] for row in view.header["functions"]]
    assert [row["name"] for row in view.header["locks"]] == [HOSTILE]
    waiters, holders = view.tables["waiters"], view.tables["holders"]
    assert {functions[at] for at in waiters["function"].tolist()} == {"Store.put"}
    assert set(waiters["thread"].tolist()) == {0}
    assert {functions[at] for at in holders["function"].tolist()} == {HOSTILE}
    assert set(view.tables["holding"]["thread"].tolist()) == {1}


def test_latencies_and_counts_keep_their_numbers(view: View) -> None:
    """Nothing is lost on the way from one-second slices to the page."""
    assert view.tables["done"]["count"].sum() == 500 * SECONDS
    assert view.tables["latency"]["count"].sum() == 500 * SECONDS
    assert [round(low) for low, _ in view.header["buckets_ns"]] == [1000, 2_000_000]


def test_memory_that_stayed_is_told_from_memory_that_went(view: View) -> None:
    """`died` is 0 for what was never freed; times are bins, counted from 1."""
    rows = view.tables["allocations"]
    stayed = rows["died"] == 0
    unit = view.header["unit_bytes"]
    assert rows["weight"][stayed].sum() * unit == (2 << 20) + (4 << 20)
    assert rows["weight"][~stayed].sum() * unit == 1 << 20
    assert (rows["born"] >= 1).all()


def test_allocations_know_their_thread_and_mostly_their_operation(view: View) -> None:
    """What `put` alone calls was allocated by `put`; 0 where a thread or an operation can't be told."""
    rows = view.tables["allocations"]
    large = rows["weight"] == rows["weight"].max()  # the 4 MiB of thread 1, allocated in `checksum`
    assert rows["thread"][large].tolist() == [1]
    assert rows["operation"][large].tolist() == [2]
    assert set(rows["thread"][~large].tolist()) == {2}
    assert set(rows["operation"][~large].tolist()) == {1}  # outside operations


def test_native_code_is_in_the_operation_whose_probe_its_caller_holds(tmp_path: Path) -> None:
    """perf's samples know no operation; below the function that holds the probe of `put` they are `put`'s."""
    made = view_of(context(make(tmp_path / "native", native=True)))
    wall, names = made.tables["wall"], function_of_rows(made)
    checksum = np.array([name == "checksum" for name in names]) & (wall["category"] == CPU)
    assert seconds(made, checksum) == pytest.approx(SECONDS / 2, rel=0.05)
    assert set(wall["operation"][checksum].tolist()) == {1}
    assert made.header["unhosted_s"] == 0


def test_a_context_that_operations_share_belongs_to_none() -> None:
    """Two operations below one caller: it is unknown, each callee is its operation's, a rare one its caller's."""
    tree = Folded(np.array([-1, 0, 1, 1, 2]), np.arange(5), np.arange(5), np.ones(5, dtype=bool))
    node, operation = np.array([2] * 30 + [3] * 30 + [4]), np.array([1] * 30 + [2] * 30 + [1])
    assert operation_of_nodes(tree, node, operation, np.ones(61)).tolist() == [0, 0, 2, 3, 2]


def test_latencies_read_late_leave_no_gap() -> None:
    """Counts of a slice of four seconds are spread over the four, and none is lost."""
    one = np.zeros(2, dtype=np.int64)
    rows = _latency_rows(
        one, np.array([0.3, 4.3]), np.array([4.3, 5.4]), np.array([1000.0, 1000.0]), np.array([402, 7])
    )
    assert rows["slice"].tolist() == [0, 1, 2, 3, 4]
    assert rows["count"].sum() == 409
    assert rows["count"][:4] == pytest.approx(100, abs=1)


def test_threads_are_there_for_their_whole_life(view: View) -> None:
    """Presence is what idle time is told by."""
    permille = view.tables["presence"]["permille"].reshape(2, view.header["bins"])
    assert permille[:, :-1].min() >= 990


@pytest.mark.parametrize(("length_s", "bins"), [(0.2, 4), (4, 40), (20, 100), (600, 300)])
def test_bins_are_neither_too_short_nor_too_many(tmp_path: Path, length_s: float, bins: int) -> None:
    """200 ms and more; shorter where the window is short, never under 50 ms."""
    window = (START, START + int(length_s * 1000 * MS))
    assert bins_of(Recording(tmp_path, {"window": window})).count == bins


def test_times_outside_the_window_count_at_its_edge() -> None:
    """A look that fell on the last nanosecond has a bin."""
    assert Bins(100, 10, 3).of(np.array([50, 100, 129, 130])).tolist() == [0, 0, 2, 2]


def test_a_long_table_loses_resolution_and_no_time(tmp_path: Path) -> None:
    """Where there would be too many rows, bins get longer and rare contexts are folded; the sum stays."""
    make_recording(tmp_path / "recording", 40_000, 30)
    whole = build_context(Recording.open(tmp_path / "recording"), Settings())
    fine, coarse = view_of(whole), view_of(whole, most_rows=10_000)
    assert len(coarse.tables["wall"]["weight"]) <= 10_000 < len(fine.tables["wall"]["weight"])
    assert coarse.header["bins"] < fine.header["bins"]
    assert 0 < coarse.header["folded_share"] < 1
    assert fine.header["folded_share"] == 0
    busy = float(whole.by_category.sum())
    for one in (fine, coarse):
        assert seconds(one, slice(None)) == pytest.approx(busy, rel=0.01)


def test_native_code_below_python_needs_more_than_chance() -> None:
    """A path is kept if seen twice, and if its entry is no rarer below this function than below all of them."""
    from collections import Counter

    paths = Counter({(1, 2): 6, (3,): 2, (4,): 1, (): 11})
    assert _shares(paths, {1: 0.2, 3: 0.5, 4: 0.01}) == [[0.3, [1, 2]]]
