"""`record --operation`: functions are timed by name, and the program does not notice."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import storeprof as package
from recordings import PROGRAMS, findings, record, storeprof

PROGRAM = PROGRAMS / "named_operations.py"
QUICK = ("--no-perf",)


def named(*names: str) -> tuple[str, ...]:
    """Options that name operations."""
    return (*QUICK, *(word for name in names for word in ("--operation", name)))


def counts(document: dict[str, Any]) -> dict[str, int]:
    """Calls by operation."""
    return {row["name"]: row["count"] for row in document["operations"]}


def test_functions_methods_and_the_main_programs_own_are_timed(tmp_path: Path) -> None:
    """Every call is counted: module functions, inherited, static and class methods, those of the main program."""
    asked = named(
        "named_engine.put",
        "named_engine.Engine.get",
        "named_operations.Journal.append",
        "named_operations.Journal.encode",
        "__main__.Journal.open",
    )
    done = record(tmp_path, sys.executable, PROGRAM, seconds=2, options=asked)
    assert done.status == 0, done.stderr
    assert "--operation" not in done.stderr
    calls = int(re.findall(r"calls=(\d+)", done.stdout)[0])
    document = findings(tmp_path)
    names = ("put", "Engine.get", "Journal.append", "Journal.encode", "Journal.open")
    assert counts(document) == dict.fromkeys(names, calls)
    assert all(row["latency_s"]["p99"] > 0 for row in document["operations"])
    assert document["metrics"]["throughput_per_s"] == pytest.approx(5 * calls / 2, rel=0.35)


def test_the_program_finds_its_environment_as_it_would_be(tmp_path: Path) -> None:
    """Arguments, PYTHONPATH, the program's own sitecustomize and its output are what they are without storeprof."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import sys\nsys.site_of_the_program = __file__\n")
    done = storeprof(
        *(
            "record",
            "--out",
            tmp_path / "recording",
            *named("named_engine.put"),
            "--",
            sys.executable,
            PROGRAM,
            "a",
            "b",
        ),
        PYTHONPATH=str(site),
        RUN_SECONDS="0.5",
    )
    assert done.status == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"['a', 'b'] {site} [] True None"
    assert second.endswith(f"site={site}/sitecustomize.py")


def test_a_module_run_by_name_is_the_main_program(tmp_path: Path) -> None:
    """`python -m MODULE` is wrapped as a script is, and has no sitecustomize where there is none."""
    command = (sys.executable, "-m", "named_operations")
    done = storeprof(
        *("record", "--out", tmp_path / "recording", *named("named_operations.Journal.append"), "--", *command),
        cwd=PROGRAMS,
        RUN_SECONDS="1",
    )
    assert done.status == 0, done.stderr
    assert "[] None [] False None" in done.stdout
    calls = int(re.findall(r"calls=(\d+)", done.stdout)[0])
    assert counts(findings(tmp_path)) == {"Journal.append": calls}


NOT_TIMED = {
    "named_engine.nope": "named_engine has no nope",
    "named_operations.nope": "named_operations has no nope",
    "named_engine.Engine": "is no function",
    "named_absent.put": "named_absent was never imported",
    "named_engine.unused": "it was never called",
}


def test_each_name_that_is_not_timed_has_its_line(tmp_path: Path) -> None:
    """A name that is not found, can't be timed or is never called has one line with the reason, and coverage has it."""
    done = record(tmp_path, sys.executable, PROGRAM, seconds=1, options=named(*NOT_TIMED))
    assert done.status == 0, done.stderr
    row = next(one for one in findings(tmp_path)["coverage"] if one["kind"] == "tail-latency")
    for name, reason in NOT_TIMED.items():
        assert re.search(rf"^storeprof: --operation {name}: .*{reason}.*; ", done.stderr, re.M), done.stderr
        assert reason in row["reason"]
    assert done.last_line.startswith("recording: ")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ((sys.executable, "-I", PROGRAM), "the program's Python did not run storeprof's start-up file"),
        ((sys.executable, "-S", PROGRAM), "the program's Python did not run storeprof's start-up file"),
        (("sleep", "1"), "the program is no Python program"),
    ],
    ids=("isolated", "no-site", "no-python"),
)
def test_programs_that_can_not_be_reached_are_recorded_all_the_same(
    tmp_path: Path, command: tuple[str | Path, ...], reason: str
) -> None:
    """Isolated Pythons and other programs run and are recorded; one line says why nothing is timed."""
    done = record(tmp_path, *command, seconds=1, options=named("named_engine.put", "named_engine.Engine.get"))
    assert f"storeprof: --operation named_engine.put, named_engine.Engine.get: {reason}" in done.stdout + done.stderr
    document = findings(tmp_path)
    assert document["operations"] == []
    assert document["metrics"]["throughput_per_s"] is None


def test_a_python_that_can_not_load_the_probe_runs_as_if_nothing_were(tmp_path: Path) -> None:
    """Without the extension for its version the program's output is its own, and the report says which Python it is."""
    probe = Path(package.__file__).parent / "probe"
    copy = tmp_path / "storeprof"
    shutil.copytree(probe, copy / "probe", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(package.__file__, copy / "__init__.py")
    report = tmp_path / "report"
    done = subprocess.run(
        [Path(sys.base_prefix) / "bin" / "python3", PROGRAM],  # not the one storeprof is installed in
        env={
            "PYTHONPATH": str(copy / "probe" / "startup"),
            "STOREPROF_OPERATIONS": "named_engine.put",
            "STOREPROF_OPERATIONS_REPORT": str(report),
            "RUN_SECONDS": "0.2",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("[] None [] False None\n")
    (line,) = [json.loads(text) for text in report.read_text().splitlines()]
    assert line["python"] == f"cpython {sys.version_info[0]}.{sys.version_info[1]}"
    assert "the probe can't be loaded" in line["why"]


@pytest.mark.parametrize("options", [("--pid", "1", "--operation", "a.b"), ("--operation", "ab", "--", "true")])
def test_a_wrong_use_is_one_line_and_125(options: tuple[str, ...]) -> None:
    """An attached process can't be given operations, and a name needs its module."""
    done = storeprof("record", *options)
    assert done.status == 125
    assert len(done.stderr.splitlines()) == 1
    assert "--operation" in done.stderr
