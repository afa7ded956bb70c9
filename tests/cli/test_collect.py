"""`--collect`, `--preset`, `--deep` and `doctor` as people type them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recordings import PROGRAMS, build, storeprof
from storeprof.collect.pass_tool import GROUPS
from storeprof.collect.python_command import python_command
from storeprof.collect.registry import registered
from storeprof.recording.model import read_meta

# Functions of some size: the share of those that keep a frame pointer is measured on twenty or more.
ENGINE = (
    "".join(
        f"__attribute__((noinline)) long step{n}(long x, long* seen) {{ for (long i = 0; i < x % 7; i++) "
        f"seen[i % 4] += {f'step{n - 1}(x + i, seen)' if n else 'x'} * i; return seen[x & 3] + {n}; }}\n"
        for n in range(25)
    )
    + "int main(int count, char**) { long seen[4] = {0}; return step24(count, seen) == 77; }\n"
)


def test_the_default_makes_no_passes_and_needs_no_privilege(tmp_path: Path) -> None:
    """Without options the timing run is all there is: nothing runs twice."""
    script = tmp_path / "once.py"
    script.write_text(f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\n", encoding="utf-8")
    done = storeprof("record", "--out", tmp_path / "r", "--", sys.executable, script)
    assert done.status == 0
    assert (tmp_path / "runs").read_text() == "x"
    assert {row["collector"] for row in read_meta(tmp_path / "r")["passes"]} == {"smaps"}


def test_deep_runs_memray_in_a_pass_of_its_own_and_the_report_says_so(tmp_path: Path) -> None:
    """--deep on a Python program: heap and leaks by memray, named with its pass, evidence under the known names."""
    done = storeprof("record", "--deep", "--out", tmp_path / "r", "--", sys.executable, PROGRAMS / "planted_memory.py")
    assert done.status == 0, done.stderr
    document = json.loads(storeprof("analyze", tmp_path / "r", "--json").stdout)
    row = next(one for one in document["passes"] if one["collector"] == "memray")
    assert (row["pass"], row["own_run"], row["ran"]) == ("pass-1-memray", True, True)
    assert row["collects"] == ["heap", "leaks"]
    place = next(one for one in row["figures"] if one["figure"] == "live at the peak")
    assert (place["function"], place["line"]) == ("<listcomp>", 6)
    report = storeprof("report", tmp_path / "r").stdout
    assert "from passes of their own (all else above is from the timing run):" in report
    assert "memray (" in report
    for start in ("heap_analysis_", "leaks_"):
        (file,) = (tmp_path / "r").glob(f"{start}*.txt")
        assert file.read_text().startswith("# storeprof: memray (pass-1-memray, a run of its own)")


def test_what_is_asked_for_and_none_of_it_exists_is_said(tmp_path: Path) -> None:
    """A word that is no group ends with 125 and one line that names the groups."""
    done = storeprof("record", "--collect", "heap,stacks", "--out", tmp_path / "r", "--", "true")
    assert done.status == 125
    assert done.stderr.count("\n") == 1
    assert (
        "'stacks': it takes cpu, offcpu, io, memory, heap, leaks, counters, faults and entries=PATTERN" in done.stderr
    )


def test_what_keeps_perf_out_is_named_as_it_was_asked(tmp_path: Path) -> None:
    """Who chose collectors without the CPU is told to add it, not to leave out an option that was never typed."""
    done = storeprof("record", "--collect", "memory", "--out", tmp_path / "r", "--", "true")
    assert done.status == 0, done.stderr
    perf = next(row for row in read_meta(tmp_path / "r")["collectors"] if row["name"] == "perf")
    assert (perf["reason"], perf["remedy"]) == (
        "cpu is not among what was to be collected",
        "record with cpu in --collect",
    )


@pytest.mark.parametrize("nothing", ["", ",", ",,"])
def test_a_list_of_nothing_is_refused(nothing: str, tmp_path: Path) -> None:
    """A slip in a script does not become the default."""
    done = storeprof("record", "--collect", nothing, "--out", tmp_path / "r", "--", "true")
    assert done.status == 125 and "it takes cpu" in done.stderr and not (tmp_path / "r").exists()


def test_a_running_process_gets_the_passes_that_can_attach(tmp_path: Path) -> None:
    """Found by its name, longer than the kernel keeps: tools that have to start it say so, others look at it."""
    program = build(tmp_path, PROGRAMS / "collect_two_functions.cpp")
    with subprocess.Popen([program, "30"], stdout=subprocess.DEVNULL) as process:
        done = storeprof(
            "record", "--no-perf", "--name", program.name, "--duration", "1", "--out", tmp_path / "r",
            "--collect", "heap,faults,entries=seventy",
        )  # fmt: skip
        alive = process.poll() is None
        process.terminate()
    assert done.status == 0, done.stderr
    assert alive
    rows = {tuple(row["collects"]): row for row in read_meta(tmp_path / "r")["passes"]}
    assert "not on one that runs already" in rows["heap",]["reason"]
    assert rows["entries",]["ran"], rows["entries",]["reason"]
    assert rows["faults",]["ran"], rows["faults",]["reason"]
    assert read_meta(tmp_path / "r")["attached_pid"] == process.pid


@pytest.mark.parametrize(
    ("command", "program"),
    [
        (["python3", "-u", "-X", "dev", "a.py", "-m"], ("a.py", "-m")),
        (["/usr/bin/python3.12", "-m", "pkg.mod", "x"], ("-m", "pkg.mod", "x")),
        (["python", "-c", "pass"], ("-c", "pass")),
        (["python3"], None),
        (["python3", "-"], None),
        (["ls", "a.py"], None),
        ([], None),
    ],
)
def test_a_python_command_is_taken_apart(command: list[str], program: tuple[str, ...] | None) -> None:
    """Interpreter and program are told apart by the interpreter's own options; without a program there is none."""
    found = python_command(command)
    assert (found.program if found else None) == program


def test_doctor_lists_every_collector_with_what_it_adds_and_how_to_get_it() -> None:
    """Each row says what it would add and costs; an unavailable one has a reason and the command that helps."""
    document = json.loads(storeprof("doctor", "--json").stdout)
    assert [row["name"] for row in document["collectors"]] == [one.collector.name for one in registered()]
    for row in document["collectors"]:
        assert row["adds"] and row["costs"]
        assert set(row["collects"]) <= set(GROUPS)
        assert row["available"] or (row["reason"] and row["remedy"]), row
    bare = json.loads(storeprof("doctor", "--json", PATH="/nonexistent").stdout)
    missing = {row["name"]: row for row in bare["collectors"]}
    assert missing["strace"]["reason"] == "strace is not installed"
    assert "strace" in missing["strace"]["remedy"]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("-O0", "-g"), "without optimization"),
        (("-O2", "-g", "-fomit-frame-pointer"), "without frame pointers"),
        (("-O2", "-s"), "stripped"),
        (("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address"), "AddressSanitizer"),
        (("-O2", "-g", "-pg"), "-pg"),
        (("-O2", "-g", "-fno-omit-frame-pointer"), "misleads nobody"),
    ],
)
def test_doctor_warns_of_builds_that_mislead(flags: tuple[str, ...], word: str, tmp_path: Path) -> None:
    """A build is judged by the binary itself: optimization, symbols, frame pointers, sanitizers, -pg."""
    source = tmp_path / "engine.cpp"
    source.write_text(ENGINE, encoding="utf-8")
    program = build(tmp_path, source, *flags)
    line = next(one for one in storeprof("doctor", program).stdout.splitlines() if one.startswith(str(program)))
    assert word in line


def test_perf_says_how_many_of_its_stacks_break_off(tmp_path: Path) -> None:
    """The stack quality of the timing run stands with its collector."""
    program = build(tmp_path, PROGRAMS / "collect_two_functions.cpp")
    assert storeprof("record", "--out", tmp_path / "r", "--", program, "1").status == 0
    document = json.loads(storeprof("analyze", tmp_path / "r", "--json").stdout)
    row = next(one for one in document["passes"] if one["collector"] == "perf")
    figures = {one["figure"]: one["value"] for one in row["figures"]}
    assert figures["samples"] > 20
    assert figures["stacks that break off"] < 10
