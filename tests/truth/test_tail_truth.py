"""Tails whose cause is known by construction: component, function, resource and the other side are named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from accuracy.planted import CASES

from recordings import PLANTED, findings, record

NAMED = PLANTED / "tail_named.py"
LARGE_REQUESTS = CASES / "47-healthy-large-requests" / "main.py"


def operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    """One operation of the document."""
    found = next(row for row in document["operations"] if row["name"] == name)
    assert isinstance(found, dict)
    return found


def budget(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The tail of one operation; its parts add up to one, those of the mean as well."""
    row = operation(document, name)
    tail = row["tail"]
    assert tail is not None, next(one for one in document["coverage"] if one["kind"] == "tail-latency")
    assert abs(sum(one["share"] for one in tail["causes"]) + tail["unexplained_share"] - 1) < 0.01
    assert abs(sum(one["share"] for one in row["mean"]["parts"]) + row["mean"]["unexplained_share"] - 1) < 0.01
    assert isinstance(tail, dict)
    return tail


def found_tail(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The tail-latency finding of an operation."""
    found = [row for row in document["findings"] if row["kind"] == "tail-latency" and row["where"]["operation"] == name]
    assert found, document["summary"]
    assert isinstance(found[0], dict)
    return found[0]


def test_a_put_that_waits_for_a_flush_names_lock_and_flush(tmp_path: Path) -> None:
    """Puts around P99 wait for the lock in `put_batch` while another thread flushes; the flush is the resource."""
    done = record(tmp_path, sys.executable, PLANTED / "tail_flush.py", seconds=6, options=("--no-perf",))
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    tail = budget(document, "SharedStore.put_batch")
    first = tail["causes"][0]
    assert first["component"] == "lock", tail
    assert first["function"] == "tail_flush.SharedStore.put_batch"
    assert "write_table" in first["resource"]
    assert first["share"] > 0.4
    finding = found_tail(document, "SharedStore.put_batch")
    assert finding["where"]["function"] == "tail_flush.SharedStore.put_batch"
    assert any("write_table" in row["function"] for row in finding["holders"])
    assert finding["impact"]["basis"] == "latency"
    assert finding["impact"]["ci"][0] > 1.5


def test_a_read_that_compacts_first_is_cpu_time_there(tmp_path: Path) -> None:
    """A function named on the command line: the rare compaction inside it is the cause, on the CPU."""
    options = ("--no-perf", "--operation", "tail_engine.Runs.read", "--operation", "tail_engine.Runs.scan")
    done = record(tmp_path, sys.executable, NAMED, seconds=6, options=options)
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    first = budget(document, "Runs.read")["causes"][0]
    assert first["component"] == "cpu"
    assert first["function"] == "tail_engine.Runs.compact"
    finding = found_tail(document, "Runs.read")
    assert finding["severity"] == "bottleneck"
    assert "compact" in finding["recommendation"]
    spans = {row["name"]: row["count"] for row in document["operations"]}
    assert spans["Runs.read"] == spans["Runs.scan"] == int(done.stdout.split("ops=")[1].split()[0])


def test_a_read_that_pauses_sleeps(tmp_path: Path) -> None:
    """A compaction that waits for a slow device instead of computing is a sleep, in the same place."""
    options = ("--no-perf", "--operation", "tail_engine.Runs.read")
    done = record(tmp_path, sys.executable, NAMED, "pause", seconds=6, options=options)
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    first = budget(document, "Runs.read")["causes"][0]
    assert (first["component"], first["function"]) == ("sleep", "tail_engine.Paused.compact")
    assert first["seconds"] > 0.0025
    assert found_tail(document, "Runs.read")["severity"] == "bottleneck"


def test_a_note_that_syncs_waits_for_the_disk(tmp_path: Path) -> None:
    """Where the disk is slow enough to matter, every sixtieth note's fsync is the cause, with the file."""
    options = ("--no-perf", "--operation", "tail_engine.Runs.note", "--operation", "tail_engine.Runs.scan")
    done = record(tmp_path, sys.executable, NAMED, "sync", seconds=6, options=options)
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    latency = operation(document, "Runs.note")["latency_s"]
    if latency["p99"] < 0.0005:  # a memory file system syncs for nothing, and then nothing may be said
        assert not [row for row in document["findings"] if row["kind"] == "tail-latency"]
        return
    causes = budget(document, "Runs.note")["causes"]
    disk = next(row for row in causes if row["component"] == "io")
    assert disk["function"] == "tail_engine.Runs.sync"
    assert disk["resource"].endswith("reads.log")


def test_large_requests_are_no_fault(tmp_path: Path) -> None:
    """Two requests in a hundred that do forty times the work have a long tail, and no fault for it."""
    done = record(tmp_path, sys.executable, LARGE_REQUESTS, seconds=5, options=("--no-perf",))
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    latency = operation(document, "request")["latency_s"]
    assert latency["p99"] > 5 * latency["p50"]
    rows = [row for row in document["findings"] if row["kind"] == "tail-latency"]
    assert [row["severity"] for row in rows] in ([], ["notice"])
