"""What looks at real programs show: places, waits, weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from rows import (
    ALL,
    HOLDS_GIL,
    LOOKS,
    NONE,
    PROGRAMS,
    RESOURCES,
    SUPPORTED,
    THREAD_TIME,
    UNSUPPORTED,
    WAITS_FOR_GIL,
    Rows,
    observe,
    observed,
    until,
)

from storeprof.observe._observer import Sampler
from storeprof.observe.classify import resource_kind


def program(name: str) -> str:
    """Path of a program under tests/programs."""
    return str(PROGRAMS / f"observe_{name}.py")


@pytest.mark.parametrize("python", SUPPORTED)
def test_share_of_a_function(python: str) -> None:
    """A function that takes 30 % of the time by construction reads within a few points, on every version."""
    rows, sampler, _ = observe([python, program("shares"), "2.5"], mean_interval_ns=1_000_000, cpu_budget=0.5)
    in_cycle = rows.share("cycle")
    assert 0.26 <= rows.share("thirty") / in_cycle <= 0.34
    version = ".".join(map(str, ALL[python]))
    assert rows.processes[0]["python"] == version
    assert sampler.stats()["python"] == {"status": "attached", "version": version, "why": ""}


@pytest.mark.parametrize("python", SUPPORTED)
def test_stacks_of_blocked_threads(python: str) -> None:
    """A blocked thread shows its function, what called it, the system call, and the pipe it reads."""
    rows = Rows()
    with observed([python, program("blocked")]) as (process, sampler):
        assert process.stdout is not None
        process.stdout.readline()
        before = sampler.stats()["rounds"]
        until(lambda: sampler.stats()["rounds"] >= before + 30)
        sampler.stop()
        rows.take(sampler)
    looks = rows.packed(LOOKS)
    calls = {"waits_for_lock": {202}, "reads_pipe": {0}, "sleeps": {230, 35, 23, 270}}
    last: dict[str, np.void] = {}
    for look in looks:
        functions = rows.functions(int(look["py_stack"])) if look["py_stack"] != NONE else []
        for name in set(functions) & set(calls):
            last[name] = look
            assert functions[:2] == [name, "outer"], (functions, look)
    assert set(last) == set(calls)
    for name, look in last.items():
        assert chr(look["state"]) == "S"
        assert int(look["syscall"]) in calls[name]
        assert not look["flags"] & WAITS_FOR_GIL
        assert look["py_status"] == 1
    kinds = {line["resource"]: resource_kind(line["name"]) for line in rows.lines(RESOURCES)}
    assert kinds[int(last["reads_pipe"]["resource"])] == "pipe"


@pytest.mark.parametrize("python", SUPPORTED)
def test_gil_waiters_name_the_holder(python: str) -> None:
    """Of two threads that want the GIL all the time, one waits for it and names the other as its holder."""
    rows, _, _ = observe([python, program("gil"), "1.5"])
    looks = rows.packed(LOOKS)
    burning = [
        int(t) for t in np.unique(looks["thread"]) if any("burn" in rows.functions(int(s)) for s in stacks(looks, t))
    ]
    assert len(burning) == 2
    waits = looks[(looks["flags"] & WAITS_FOR_GIL != 0) & np.isin(looks["thread"], burning)]
    holds = looks[looks["flags"] & HOLDS_GIL != 0]
    assert len(waits) > 20
    assert len(holds) > 20
    named = waits[waits["holder"] != NONE]
    assert len(named) > 0.8 * len(waits)
    assert np.isin(named["holder"], burning).mean() > 0.9
    assert (named["holder"] != named["thread"]).all()


def stacks(looks: np.ndarray, thread: int) -> np.ndarray:
    """The different Python stacks of a thread's looks."""
    found = np.unique(looks["py_stack"][looks["thread"] == thread])
    return found[found != NONE]


def test_weights_add_up_to_the_lifetime() -> None:
    """The weights of a thread's looks add up to the time it was there, whether its looks were taken over or not."""
    rows, _, _ = observe([sys.executable, program("gil"), "2"])
    looks = rows.packed(LOOKS)
    for number, thread in rows.threads.items():
        lifetime = thread["ended_ns"] - thread["t_ns"]
        weight = int(looks["weight_ns"][looks["thread"] == number].sum())
        assert abs(weight - lifetime) < 0.04 * lifetime + 20_000_000


def test_weights_add_up_when_only_some_threads_are_looked_at() -> None:
    """With a small CPU budget fewer looks are taken, and all threads' weights still add up to their lifetimes."""
    rows, _, _ = observe([sys.executable, program("gil"), "3"], cpu_budget=0.004)
    looks = rows.packed(LOOKS)
    lifetime = sum(t["ended_ns"] - t["t_ns"] for t in rows.threads.values())
    assert len(looks) < 900
    assert abs(int(looks["weight_ns"].sum()) - lifetime) < 0.25 * lifetime


def test_a_budget_changes_while_it_looks() -> None:
    """A sampler that is given less CPU time looks more rarely from then on, and a wrong budget is refused."""
    with observed([sys.executable, program("gil"), "60"], cpu_budget=0.5) as (_, sampler):
        until(lambda: sampler.stats()["looks"] > 100)
        assert sampler.stats()["mean_interval_ns"] == 5_000_000
        sampler.set_budget(0.0004)
        until(lambda: sampler.stats()["mean_interval_ns"] > 20_000_000)
        with pytest.raises(ValueError, match="cpu_budget"):
            sampler.set_budget(0.0)


def test_run_time_agrees_with_the_kernel() -> None:
    """The last cumulative run time of a busy thread is the CPU time it had."""
    rows, _, _ = observe([sys.executable, program("shares"), "1.5"])
    times = rows.packed(THREAD_TIME)
    busy = times[times["thread"] == 0]
    assert len(busy) >= 4
    assert (np.diff(busy["run_ns"].astype(np.int64)) >= 0).all()
    assert 0 < int(busy["run_ns"][-1]) < 3_000_000_000
    assert int(busy["slices"][-1]) > 0


def test_threads_that_come_and_go() -> None:
    """Each thread seen has a line with its end and at least one row of counters, and a good part of them is seen."""
    rows, _, output = observe([sys.executable, program("churn"), "1"])
    threads = rows.threads
    assert len(threads) > 0.2 * int(output)
    assert all("ended_ns" in line for line in threads.values())
    assert set(threads) == set(rows.packed(THREAD_TIME)["thread"].tolist())


def test_500_threads_are_all_looked_at() -> None:
    """With 500 threads a round looks at some of them, and every one gets its looks and its stack in turn."""
    rows = Rows()
    with observed([sys.executable, program("many")]) as (process, sampler):
        assert process.stdout is not None
        process.stdout.readline()

        def all_seen() -> bool:
            rows.take(sampler)
            looks = rows.packed(LOOKS)
            return len(np.unique(looks["thread"][looks["py_stack"] != NONE])) == 501

        until(all_seen, 60)
        assert sampler.stats()["look_fraction"] < 0.5
    assert len(rows.threads) == 501


def test_killed_target_leaves_whole_rows() -> None:
    """A target killed by SIGKILL ends the looks; everything drained is whole and refers only to known numbers."""
    rows = Rows()
    with observed([sys.executable, program("gil"), "60"]) as (process, sampler):
        until(lambda: sampler.stats()["looks"] > 100)
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: sampler.stats()["gone"])
        assert not sampler.alive()
        sampler.stop()
        rows.take(sampler)
    looks = rows.packed(LOOKS)
    assert len(looks) > 100
    assert set(looks["thread"].tolist()) <= set(rows.threads)
    for stack in np.unique(looks["py_stack"]):
        rows.functions(int(stack))
    assert all("ended_ns" in line for line in rows.threads.values())


def test_unsupported_versions_are_refused_with_a_reason() -> None:
    """An interpreter whose layout is not known is refused with a reason, and its threads are looked at all the same."""
    for python in UNSUPPORTED:
        with observed([python, "-c", "import sys; sys.stdin.read()"]) as (_, sampler):
            until(lambda sampler=sampler: sampler.stats()["python"]["status"] == "refused")
            assert "not supported" in sampler.stats()["python"]["why"]
            until(lambda sampler=sampler: sampler.stats()["looks"] > 5)


def test_a_program_without_python() -> None:
    """A program that is not Python is looked at, and the reason for the missing stacks is given."""
    with observed(["sleep", "60"]) as (_, sampler):
        until(lambda: sampler.stats()["looks"] > 20)
        stats = sampler.stats()
        assert stats["python"]["status"] == "searching"
        assert "no CPython" in stats["python"]["why"]


def test_errors_of_the_constructor() -> None:
    """No such process is a ProcessLookupError, a wrong option a ValueError, a second start a RuntimeError."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(ProcessLookupError):
        Sampler(process.pid)
    with pytest.raises(ValueError, match="cpu_budget"):
        Sampler(os.getpid(), cpu_budget=0.0)
    sampler = Sampler(os.getpid())
    sampler.start()
    with pytest.raises(RuntimeError):
        sampler.start()
    sampler.stop()
    sampler.stop()


def test_undrained_looks_are_dropped_and_counted() -> None:
    """When nobody drains, looks beyond the bound are dropped and counted, while threads and totals are kept."""
    with observed([sys.executable, program("gil"), "60"], buffer_bytes=20_000) as (_, sampler):
        until(lambda: sampler.stats()["dropped_looks"] > 50)
        rows = Rows()
        rows.take(sampler)
    assert rows.packed(LOOKS).nbytes < 40_000
    assert rows.threads
