"""System calls of a recording are counted exactly, where the kernel lets us; else they are not known."""

from __future__ import annotations

import json
import os
import sys
import threading
from itertools import count
from pathlib import Path

import pytest

from recordings import findings, record, storeprof
from storeprof.system_calls import COLLECTOR, SystemCalls, counted_between

WHY_NOT = SystemCalls().reason
# Root is always permitted: there a reason is a fault, and the test runs into it.
only_where_permitted = pytest.mark.skipif(WHY_NOT is not None and os.geteuid() != 0, reason=str(WHY_NOT))
PROGRAM = """
import os, subprocess, sys, threading, time
time.sleep(0.3)  # work that is no operation does not dilute what operations do
file = os.open("data", os.O_RDWR | os.O_CREAT)
thread = threading.Thread(target=lambda: [os.fsync(file) for _ in range(7)])
thread.start(); thread.join()
os.fdatasync(file)
subprocess.run([sys.executable, "-c", "import os; os.fsync(os.open('data', os.O_RDWR))"], check=True)
print("ops=3 seconds=0.01")
"""
RULE = '[[tool.storeprof.gate.rules]]\nmetric = "fsyncs_per_operation"\nat_most = {}\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of nine fsyncs, by the main thread, another one and a child, in three operations."""
    place = tmp_path_factory.mktemp("counted")
    done = record(place, sys.executable, "-c", PROGRAM)
    assert done.status == 0, done.stderr
    return place


@only_where_permitted
def test_fsyncs_are_counted_to_the_last_one(folder: Path) -> None:
    """All threads and children, per operation that the program stated, and a gate on it is exact."""
    metrics = findings(folder)["metrics"]
    assert metrics["fsyncs"] == 9
    assert metrics["system_calls"] > 500
    for limit, status in (("3.0", 0), ("2.99", 1)):
        (folder / "pyproject.toml").write_text(RULE.format(limit), encoding="utf-8")
        done = storeprof("gate", "recording", cwd=folder)
        assert (done.status, "it is 3" in done.stdout) == (status, True), done.stdout + done.stderr


def test_what_is_not_counted_says_why(folder: Path) -> None:
    """The collector's row has a reason and a remedy exactly when it did not run."""
    rows = json.loads((folder / "recording" / "recording.json").read_text())["collectors"]
    (row,) = [one for one in rows if one["name"] == COLLECTOR]
    assert (row["ran"], row["reason"]) == (WHY_NOT is None, WHY_NOT)
    assert bool(row["remedy"]) == bool(WHY_NOT)


@only_where_permitted
def test_a_process_counts_its_own(tmp_path: Path) -> None:
    """Between two readings: what its threads of later did, and nothing else."""
    calls = SystemCalls()
    file = os.open(tmp_path / "data", os.O_RDWR | os.O_CREAT)
    before = calls.read()
    thread = threading.Thread(target=os.fsync, args=(file,))
    thread.start()
    thread.join()
    os.close(file)
    counted = counted_between(before, calls.read())
    assert counted is not None
    assert counted["fsyncs"] == 1
    calls.close()
    assert calls.read() is None


@only_where_permitted
def test_counting_ends_where_it_would_cost_too_much() -> None:
    """Over the budget there is no count, and a reason that names it."""
    seconds = count(0, 2)
    calls = SystemCalls(clock=lambda: next(seconds))
    calls.keep_within(0.01)
    assert calls.read() is not None
    calls.keep_within(1e-12)
    assert calls.read() is None
    assert "over the budget" in str(calls.reason)
