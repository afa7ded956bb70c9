"""exec, and the probe's memory as the native sampler reads it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rows import (
    ANCHORS,
    LOOKS,
    MEMORY,
    MEMORY_TAGS,
    NONE,
    OPERATIONS,
    PROGRAMS,
    SCOPE_COUNTS,
    SCOPE_HISTOGRAMS,
    SCOPE_NODES,
    SUPPORTED,
    Rows,
    observe,
    observed,
    until,
)

from storeprof.observe._observer import Sampler


@pytest.mark.parametrize("python", SUPPORTED)
def test_exec_makes_a_new_process(python: str) -> None:
    """A shell that becomes Python is two processes with one pid, and the second one's stacks are read."""
    script = f"sleep 0.3; exec {python} {PROGRAMS / 'observe_shares.py'} 1"
    rows, _, _ = observe(["sh", "-c", script])
    processes = rows.processes
    assert [line["exec"] for line in processes.values()] == [0, 1]
    assert len({line["pid"] for line in processes.values()}) == 1
    assert processes[0]["python"] is None
    assert processes[1]["python"] is not None
    assert {line["process"] for line in rows.threads.values()} == {0, 1}
    assert rows.share("cycle") > 0.3


def test_memory_and_anchors_are_plausible() -> None:
    """Resident bytes do not exceed their peak, and the clocks of the anchors go forward together."""
    rows, _, _ = observe([sys.executable, str(PROGRAMS / "observe_shares.py"), "1.5"])
    memory = rows.packed(MEMORY)
    assert len(memory) >= 2
    assert int(memory["rss"][-1]) > 1_000_000
    assert (memory["rss"] <= memory["rss_peak"]).all()
    anchors = rows.packed(ANCHORS).view("<u8").reshape(-1, 4).astype(np.int64)
    assert len(anchors) >= 2
    assert (np.diff(anchors, axis=0) > 0).all()


@pytest.fixture(scope="module")
def probed() -> tuple[Rows, Sampler, int]:
    """A program that counts its own calls, recorded by its probe and looked at."""
    environment = os.environ | {"STOREPROF_RECORD": "1"}
    rows = Rows()
    command = [sys.executable, str(PROGRAMS / "observe_probe.py"), "2.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        sampler = Sampler(process.pid)
        sampler.start()
        until(lambda: rows.take(sampler) or not sampler.alive(), 60)
        assert process.stdout is not None
        calls = int(process.stdout.read())
    sampler.stop()
    rows.take(sampler, last=True)
    return rows, sampler, calls


def test_scope_counts_are_exact(probed: tuple[Rows, Sampler, int]) -> None:
    """Counts, totals and histograms of the process-wide tree are those of the program, also after it has ended."""
    rows, sampler, calls = probed
    nodes = {line["node"]: line for line in rows.lines(SCOPE_NODES) if "node" in line}
    assert [line["name"].split(".")[-1] for line in nodes.values()] == ["write", "wal"]
    assert [line["parent"] for line in nodes.values()] == [0, 1]
    counts = rows.packed(SCOPE_COUNTS)
    last = {int(row["node"]): row for row in counts}
    assert {node: int(row["count"]) for node, row in last.items()} == {1: calls, 2: calls}
    assert 2_000_000 <= last[2]["total_ticks"] * rows.ns_per_tick / calls < 20_000_000
    assert last[1]["total_ticks"] >= last[2]["total_ticks"]
    own = int(last[1]["total_ticks"]) - int(last[2]["total_ticks"])
    assert abs(int(last[1]["self_ticks"]) - own) * rows.ns_per_tick < 1_000_000
    assert last[2]["min_ticks"] <= last[2]["total_ticks"] / calls <= last[2]["max_ticks"]
    mean = last[2]["total_ticks"] / calls
    assert last[2]["sum_squares_ticks2"] >= calls * mean * mean * 0.999
    histograms = rows.packed(SCOPE_HISTOGRAMS)
    assert int(histograms["count"][histograms["node"] == 2].sum()) == calls
    assert sampler.stats()["probe"]["attached"]


def test_looks_show_the_scope(probed: tuple[Rows, Sampler, int]) -> None:
    """Looks fall into the inner scope nearly always, with an operation number that grows."""
    rows, _, _ = probed
    looks = rows.packed(LOOKS)
    inside = looks[rows.in_node(looks["scope_record"], 2)]
    assert inside["weight_ns"].sum() > 0.8 * 2_500_000_000
    assert (np.diff(inside["op_seq"].astype(np.int64)) >= 0).all()


def test_operations_are_hit_and_sampled(probed: tuple[Rows, Sampler, int]) -> None:
    """Operations seen under way are found again, and uniform samples stand for all that finished while looked at."""
    rows, sampler, calls = probed
    operations = rows.packed(OPERATIONS)
    hit, sampled = operations[operations["hit"] == 1], operations[operations["hit"] == 0]
    looks = rows.packed(LOOKS)
    seen = {int(seq) for seq in looks["op_seq"] if seq}
    assert len(np.unique(hit["op_seq"])) == len(hit)
    assert {int(seq) for seq in hit["op_seq"]} <= seen
    assert len(hit) >= 0.95 * len(seen)
    assert sampler.stats()["probe"]["lost_operations"] <= 2
    assert 0.9 * calls <= sampled["weight_x1000"].sum() / 1000 <= calls
    assert rows.in_node(operations["record"], 1).all()
    assert (operations["duration_ticks"] * rows.ns_per_tick >= 2_000_000).all()
    ends = (operations["start_ticks"] + operations["duration_ticks"]).astype(np.int64)
    anchor = rows.packed(ANCHORS)[0]
    ends_ns = int(anchor["monotonic_ns"]) + (ends - int(anchor["ticks"])) * rows.ns_per_tick
    ago = operations["t_ns"].astype(np.int64) - ends_ns
    assert (ago > -20_000_000).all()
    assert (ago < 1_000_000_000).all()


def test_memory_tags(probed: tuple[Rows, Sampler, int]) -> None:
    """Tags have a name, and their live bytes are what was allocated less what was freed."""
    rows, _, calls = probed
    names = {line["tag"]: line["name"] for line in rows.lines(SCOPE_NODES) if "tag" in line and "at" not in line}
    (tag,) = names
    counts = rows.packed(MEMORY_TAGS)
    last = counts[counts["tag"] == tag][-1]
    assert names == {tag: "Entry"}
    assert int(last["allocations"]) == calls
    assert int(last["live_bytes"]) == 60 * calls


def test_an_attached_sampler_turns_the_gate_on_and_back() -> None:
    """A program that was not started for recording counts from the sampler's start on, and no longer after its stop."""
    with observed([sys.executable, str(PROGRAMS / "observe_probe.py"), "60"]) as (_, sampler):
        rows = Rows()
        until(lambda: rows.take(sampler) or any("node" in line for line in rows.lines(SCOPE_NODES)))
        rows.totals.put_gates_back()
        rows.take(sampler, last=True)
        before = rows.packed(SCOPE_COUNTS)["count"].max()
        rounds = sampler.stats()["rounds"]
        until(lambda: sampler.stats()["rounds"] > rounds + 50)
        rows.take(sampler, last=True)
        assert rows.packed(SCOPE_COUNTS)["count"].max() - before <= 1  # the call under way when the gate was closed


@pytest.mark.parametrize("python", SUPPORTED)
def test_a_pid_namespace_of_its_own(python: str) -> None:
    """A program in another pid namespace is looked at by its outer pid: its threads have both numbers, and stacks."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", python, str(PROGRAMS / "observe_blocked.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as outer:
        assert outer.stdout is not None
        outer.stdout.readline()
        pid = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()[0])
        sampler = Sampler(pid)
        sampler.start()
        rows = Rows()
        until(lambda: sampler.stats()["stacks"]["ok"] > 100)
        sampler.stop()
        rows.take(sampler, last=True)
        os.kill(pid, signal.SIGKILL)
    assert [thread["ns_tid"] for thread in rows.threads.values()] == [1, 2, 3, 4]
    assert all(thread["tid"] > 4 for thread in rows.threads.values())
    looks = rows.packed(LOOKS)
    looks = looks[looks["py_stack"] != NONE]
    leaves = {rows.functions(int(stack))[0] for stack in np.unique(looks["py_stack"])}
    assert {"waits_for_lock", "reads_pipe", "sleeps"} <= leaves
    assert len(np.unique(looks["thread"])) == 4
