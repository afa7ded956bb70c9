"""Each tool for passes, run for real on programs whose sizes, places and calls are known."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from recordings import PROGRAMS, build
from storeprof.collect.collector import Context
from storeprof.collect.linux.build_facts import build_facts
from storeprof.collect.pass_process import Limits, run_attached, run_under
from storeprof.collect.pass_tool import Figure, PassOptions, PassResult, PassTool, Target
from storeprof.collect.passes.bpftrace import Bpftrace, BpftraceEntries
from storeprof.collect.passes.gprof import Gprof
from storeprof.collect.passes.heaptrack import Heaptrack
from storeprof.collect.passes.leak_sanitizer import LeakSanitizer
from storeprof.collect.passes.memray import Memray
from storeprof.collect.passes.perf_faults import PerfFaults
from storeprof.collect.passes.perf_stat import PerfStat
from storeprof.collect.passes.strace import Strace
from storeprof.collect.passes.valgrind import Cachegrind, Massif, Memcheck
from storeprof.collect.python_command import python_command
from storeprof.collect.tool_process import run_tool

LIMITS = Limits(None, 60)
MIB = 1 << 20


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted program."""
    return build(tmp_path_factory.mktemp("planted"), PROGRAMS / "planted_memory.cpp")


def run(tool: PassTool, target: Target, folder: Path) -> PassResult:
    """One pass as a session makes it."""
    assert tool.available(Context()).ok, tool.name
    assert tool.unfit(target) is None, tool.unfit(target)
    options = PassOptions(target, folder / tool.name)
    said, stdout = folder / "said", folder / "stdout"
    env = tool.environment(options)
    if tool.attaches:
        end = run_attached(
            lambda pid: tool.command(PassOptions(target, options.output, pid)),
            lambda: options.output.exists() and b"ready" in options.output.read_bytes(),
            target.command, said, limits=LIMITS, env=env, stdout=stdout,
        )  # fmt: skip
    else:
        argv = tool.command(options)
        end = run_under(argv, said, limits=LIMITS, spare=tool.own_processes, env=env, stdout=stdout)
    assert (end.status, end.by) == (0, "exit"), said.read_text()
    for reading in tool.readings(options):
        done = run_tool(reading.argv, timeout_s=60, stdout_path=reading.output)
        assert done.status == 0, done.stderr
    return tool.parse(options.output)


def native(program: Path, entries: tuple[str, ...] = ()) -> Target:
    """A native program as a target."""
    facts = build_facts(program)
    assert facts
    return Target((str(program),), None, program, None, facts.sanitizer, facts.gprof, entries)


def total(result: PassResult, name: str, function: str = "") -> float:
    """Sum of a figure over the stacks that pass through a function."""
    return sum(one.value for one in result.figures if one.name == name and (not function or _passes(one, function)))


def _passes(figure: Figure, function: str) -> bool:
    return any(function in frame[0] for frame in figure.stack)


def test_memray_finds_live_heap_leaks_and_temporaries_by_line(tmp_path: Path) -> None:
    """20 MiB live at the peak, 3 MB kept to the end and 20,000 short-lived blocks are named with their functions."""
    command = (sys.executable, str(PROGRAMS / "planted_memory.py"))
    result = run(Memray(), Target(command, python=python_command(command)), tmp_path)
    assert total(result, "live at the peak", "hold_pages") == pytest.approx(20 * MIB, rel=0.02)
    assert total(result, "never freed", "keep_rows") == pytest.approx(3000 * 1000, rel=0.15)
    brief = [one for one in result.figures if one.unit == "allocations" and _passes(one, "brief_rows")]
    assert sum(one.value for one in brief) == pytest.approx(20000, rel=0.01)
    assert brief[0].stack[0][1:] == (str(PROGRAMS / "planted_memory.py"), 16)


def test_heaptrack_finds_the_heap_at_its_peak_and_what_was_never_freed(planted: Path, tmp_path: Path) -> None:
    """8 MiB that are held, and 7 KiB that are lost, have their functions."""
    result = run(Heaptrack(), native(planted), tmp_path)
    assert total(result, "live at the peak", "hold_table") == pytest.approx(8 * MIB, rel=0.01)
    assert total(result, "never freed", "leak_blocks") == pytest.approx(7 * 1024, rel=0.01)
    assert total(result, "temporary", "churn") >= 4990


def test_massif_finds_the_heap_at_its_peak(planted: Path, tmp_path: Path) -> None:
    """8 MiB that are held have their function."""
    result = run(Massif(), native(planted), tmp_path)
    assert total(result, "live at the peak", "hold_table") == pytest.approx(8 * MIB, rel=0.01)


def test_memcheck_finds_exactly_what_is_lost(planted: Path, tmp_path: Path) -> None:
    """Seven blocks of 1,024 bytes are lost, in the function that allocated them, and nothing else."""
    result = run(Memcheck(), native(planted), tmp_path)
    assert total(result, "lost, all") == 7 * 1024
    assert sum(one.value for one in result.figures if _passes(one, "leak_blocks")) == 7 * 1024


def test_cachegrind_places_misses_and_says_that_they_are_simulated(planted: Path, tmp_path: Path) -> None:
    """A walk over 32 MiB a line at a time misses the first level once a line; the result is called a simulation."""
    result = run(Cachegrind(), native(planted), tmp_path)
    assert total(result, "D1 misses", "miss_the_cache") == pytest.approx(32 * MIB / 64, rel=0.05)
    assert "simulated" in result.notes[0]


def test_perf_counts_every_page_fault_by_function(tmp_path: Path) -> None:
    """3,000 and 500 fresh pages are as many faults, in the two functions that touch them."""
    result = run(PerfFaults(), native(build(tmp_path, PROGRAMS / "planted_faults.cpp")), tmp_path)
    assert total(result, "page faults", "fill_table") == pytest.approx(3000, abs=2)
    assert total(result, "page faults", "fill_index") == pytest.approx(500, abs=2)
    assert 3500 <= total(result, "page faults, all") < 4500


def test_perf_stat_counts_the_whole_run(tmp_path: Path) -> None:
    """3,500 fresh pages are so many minor faults; what this machine has no counter for is named, and no zero."""
    result = run(PerfStat(), native(build(tmp_path, PROGRAMS / "planted_faults.cpp")), tmp_path)
    assert 3500 <= total(result, "minor-faults") < 4500
    assert 0 < total(result, "task-clock") < 60_000
    counted = {one.name for one in result.figures}
    assert ("cycles:u" in counted) != any("cycles:u" in note for note in result.notes)


def test_strace_counts_system_calls(planted: Path, tmp_path: Path) -> None:
    """The one line that the program prints is one write."""
    result = run(Strace(), native(planted), tmp_path)
    assert total(result, "calls of write") == 1


def test_leak_sanitizer_reports_are_read(tmp_path: Path) -> None:
    """A build with -fsanitize=leak says which function lost 7 KiB, and keeps its own exit status."""
    program = build(tmp_path, PROGRAMS / "planted_memory.cpp", "-O1", "-g", "-fsanitize=leak")
    result = run(LeakSanitizer(), native(program), tmp_path)
    assert total(result, "leaked, all") == 7 * 1024
    assert total(result, "leaked", "leak_blocks") == 7 * 1024


def test_gprof_counts_calls(tmp_path: Path) -> None:
    """A build with -pg says how often each function was called, each instance of a template by itself."""
    program = build(tmp_path, PROGRAMS / "planted_memory.cpp", "-O1", "-g", "-pg")
    result = run(Gprof(), native(program), tmp_path)
    assert total(result, "calls", "Codec<int>::encode") == 1234
    assert total(result, "calls", "Codec<double>::encode") == 77
    assert not list(Path.cwd().glob("gmon.out*"))


def test_bpftrace_counts_entries_of_named_functions(planted: Path, tmp_path: Path) -> None:
    """Uprobes count every call, by demangled name; of a recursion each call counts and the outermost is timed."""
    assert os.geteuid() == 0, "bpftrace needs root; the test's container has it"
    result = run(BpftraceEntries(), native(planted, ("Codec*::encode", "descend")), tmp_path)
    assert total(result, "calls", "Codec<int>::encode") == 1234
    assert total(result, "calls", "Codec<double>::encode") == 77
    assert total(result, "calls", "descend") == 10
    timed = {one.name for one in result.figures if _passes(one, "Codec<int>::encode")}
    assert timed == {"calls", "total time", "longest", "P50 at most", "P95 at most", "P99 at most"}


def test_bpftrace_partitions_wall_time_exactly(tmp_path: Path) -> None:
    """On the CPU, queueing and blocked add up to each thread's time, and a sleep of known length is found."""
    program = build(tmp_path, PROGRAMS / "planted_waits.cpp")
    result = run(Bpftrace(), native(program), tmp_path)
    took_s = float((tmp_path / "stdout").read_text().split()[1])
    slept = [one for one in result.figures if one.name == "blocked in clock_nanosleep" and _passes(one, "sleeper")]
    # Ten sleeps; on a crowded machine the first may begin before the last of bpftrace's probes is attached.
    assert slept[0].value == pytest.approx(0.6, abs=0.07)
    worker = {one.name: one.value for one in result.figures if one.group == "offcpu" and _passes(one, "worker")}
    assert sum(worker.values()) == pytest.approx(took_s, rel=0.03, abs=0.02)
    assert worker["on the CPU"] + worker.get("waiting for a CPU", 0) == pytest.approx(took_s, rel=0.05)
