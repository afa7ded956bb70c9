"""`--expect`: which functions that matter carry no probe, which probes were never entered, what no scope covers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from recordings import PROGRAMS, build, findings, record, storeprof
from storeprof.analysis.probe_coverage import is_named, merged_coverage
from storeprof.collect.linux.compiled_probes import compiled_probes

INCLUDE = Path(__file__).parents[2] / "include"
FLAGS = ("-std=c++17", "-O2", "-g", "-DSTOREPROF_ENABLE", f"-I{INCLUDE}")
QUICK = ("--no-alloc-hook",)
APP = """
import os, time
from storeprof import *
class Store:
    @profile_function
    def put(self): return sum(range(20_000))
    def get(self): return sum(range(20_000))
    @profile_function
    def compact(self): pass
    @property
    @profile_function
    def size(self): return 1
def main():
    store, end = Store(), time.monotonic() + float(os.environ["RUN_SECONDS"])
    with profile_scope("both"):
        profile_memory_alloc("Row", 8), profile_memory_alloc("Row", 80), profile_memory_dealloc("Row", 80)
    while time.monotonic() < end:
        store.put(), store.get()
        with profile_scope("both"):
            store.put()
main()
"""


def probes(folder: Path, *options: str) -> dict[str, Any]:
    """What the findings document says of probes."""
    done = storeprof("analyze", "--json", folder / "recording", *options)
    assert done.status == 0, done.stderr
    found = json.loads(done.stdout)["probes"]
    assert isinstance(found, dict)
    return found


def statuses(found: dict[str, Any]) -> dict[str, str]:
    """Status of each function that was asked for."""
    return {row["name"]: row["status"] for row in found["expected"]}


def test_probes_of_a_python_program_are_told_apart(tmp_path: Path) -> None:
    """Entered, never entered, missing with its share, unknown; half of the time outside any scope; names are kept."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "critical.txt").write_text("Store.put  # the hot one\n\nStore.get\nStore.compact\n")
    asked = (*QUICK, "--no-perf", "--expect", str(tmp_path / "critical.txt"), "--expect", "Store.repair")
    done = record(tmp_path, sys.executable, "app.py", seconds=2, options=asked)
    assert done.status == 0, done.stderr
    found = probes(tmp_path)
    assert statuses(found) == {
        "Store.put": "fired",
        "Store.get": "no-probe",
        "Store.compact": "never-fired",
        "Store.repair": "not-seen",
    }
    rows = {row["name"]: row for row in found["expected"]}
    assert rows["Store.put"]["calls"] > 100 and rows["Store.compact"]["calls"] == 0
    assert rows["Store.get"]["calls"] is None
    assert rows["Store.get"]["share_ci"][0] <= 1 / 3 <= rows["Store.get"]["share_ci"][1] + 0.05
    assert (found["carried"], found["never_fired"]) == (4, ["Store.compact", "Store.size"])
    assert 0.2 < found["outside_share"] < 0.5
    assert found["outside"][0]["function"].endswith("Store.get")
    assert statuses(probes(tmp_path, "--expect", "Store.*")).keys() >= {"app.Store.get", "app.Store.size"}
    document = findings(tmp_path)
    (tag,) = document["memory_tags"]
    assert (tag["name"], tag["allocations"], tag["live_bytes"], tag["peak_bytes"][1]) == ("Row", 2, 8, 88)
    assert [(row["scopes"], row["allocated_bytes"], row["freed_bytes"]) for row in tag["paths"]] == [(["both"], 88, 80)]
    low, high = document["overhead"]["memory_ci"]
    assert low <= document["overhead"]["memory_percent"] <= high
    low, high = document["overhead"]["observer_ci"]
    assert low <= document["overhead"]["observer_percent"] <= high
    text = storeprof("report", tmp_path / "recording").stdout
    assert "functions that ought to have probes: 1 of 4 have one that was entered" in text
    assert "their probes were never entered: Store.compact" in text


def test_probes_of_a_cpp_program_that_were_never_entered_are_found_in_its_binary(tmp_path: Path) -> None:
    """By the function they stand in, scopes with names of their own and templates included."""
    program = build(tmp_path, PROGRAMS / "probe_coverage.cpp", *FLAGS)
    done = record(tmp_path, program, seconds=1.5, options=QUICK)
    assert done.status == 0, done.stderr
    names = ("kv::Store::put", "Store::get", "kv::Store::compact", "flush", "flush it")
    found = probes(tmp_path, *(part for name in names for part in ("--expect", name)))
    assert list(statuses(found).values()) == ["fired", "no-probe", "never-fired", "never-fired", "never-fired"]
    assert found["carried"] == 3
    assert 0.3 < found["outside_share"] < 0.7


@pytest.mark.parametrize("flags", [("-no-pie",), ("-shared", "-fPIC"), ("-Wl,-z,pack-relative-relocs",), ("-s",)])
def test_sites_are_read_from_binaries_of_every_kind(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """With addresses in place, relocations, or packed ones; a stripped binary, or another file, has none."""
    program = build(tmp_path, PROGRAMS / "probe_coverage.cpp", *FLAGS, *flags)
    found = compiled_probes(program)
    if "-s" in flags:
        assert found == []
    else:
        sites = {(one.name, one.function.partition("(")[0]) for one in found}
        assert ("void kv::Store::compact()", "kv::Store::compact") in sites
        assert {name for name, _ in sites} == {"void kv::Store::put(int)", "void kv::Store::compact()", "flush it"}
        assert all(one.file.endswith("probe_coverage.cpp") and one.line > 0 for one in found)
    assert compiled_probes(PROGRAMS / "probe_coverage.cpp") == compiled_probes(tmp_path / "absent") == []


def test_names_match_by_their_end() -> None:
    """Whole parts of a path, without arguments; patterns as in file names."""
    for wanted, function in (
        ("Store.put", "engine.Store.put"),
        ("kv::Store::put", "kv::Store<int, A<B>>::put(int) const"),
        ("put", "kv::Store::put<int>"),
        ("Store.*", "engine.Store.put"),
        ("flush (forced)", "flush (forced)"),
    ):
        assert is_named(wanted, function), (wanted, function)
    for wanted, function in (("ore.put", "engine.Store.put"), ("put", "engine.output"), ("Store", "engine.Store.put")):
        assert not is_named(wanted, function), (wanted, function)


def test_over_several_runs_what_fired_once_has_fired() -> None:
    """The best of the runs counts for a function, calls are added up."""

    def run(status: str, calls: int | None, silent: list[str]) -> dict[str, Any]:
        row = {"name": "a", "status": status, "probes": [], "calls": calls, "share": None, "share_ci": None}
        return {
            "carried": 2, "never_fired": silent, "never_fired_count": len(silent), "expected": [row],
            "outside_share": 0.2, "outside_ci": [0.1, 0.3], "outside": [],
        }  # fmt: skip

    found = merged_coverage([run("never-fired", 0, ["a", "b"]), run("fired", 7, ["b"])])
    assert (found["expected"][0]["status"], found["expected"][0]["calls"]) == ("fired", 7)
    assert found["never_fired"] == ["b"] and found["outside_ci"] is None


@pytest.mark.parametrize("text", ["missing/critical.txt", "", "EMPTY"])
def test_what_names_no_function_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """A file that is not there, an empty name, a file of comments: status 2 and what to do."""
    if text == "EMPTY":
        text = str(tmp_path / "empty.txt")
        Path(text).write_text("# nothing yet\n")
    done = storeprof("analyze", "--expect", text)
    assert done.status == 2
    assert "--expect" in done.last_line and "name" in done.last_line and "Traceback" not in done.stderr
