"""The collectors of macOS: command lines, what they need, and waits told from symbols."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from storeprof.collect.collector import Context
from storeprof.collect.macos.dtrace import Dtrace, DtraceOptions
from storeprof.collect.macos.heap import Heap, HeapOptions
from storeprof.collect.macos.leaks import Leaks, LeaksOptions
from storeprof.collect.macos.malloc_history import MallocHistoryOptions, MallocHistoryTool
from storeprof.collect.macos.sample import Sample, SampleOptions
from storeprof.collect.macos.tool import mac_tool
from storeprof.collect.macos.vmmap import Vmmap, VmmapOptions
from storeprof.collect.macos.wait_symbols import wait_reason
from storeprof.collect.macos.xctrace import Xctrace, XctraceOptions
from storeprof.collect.tool_output import Frame

COLLECTORS = (Sample(), Heap(), Vmmap(), Leaks(), MallocHistoryTool(), Dtrace(), Xctrace())
KERNEL = "libsystem_kernel.dylib"


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda one: one.name)
def test_elsewhere_than_on_a_mac_each_says_why_and_what_to_do(collector: Sample) -> None:
    """The reason names the tool and this system, the remedy is to import what was recorded on the Mac."""
    found = collector.available(Context())
    if sys.platform == "darwin":
        assert found.ok or (found.reason and found.remedy)
    else:
        assert not found.ok and collector.name in (found.reason or "") and "storeprof import" in (found.remedy or "")


def test_on_a_mac_the_remedy_is_what_is_missing() -> None:
    """Xcode for xctrace, the command line tools for the rest, root for dtrace."""
    missing = mac_tool("xctrace", needs_root=False, platform="darwin", found=lambda name: None)
    assert not missing.ok and missing.remedy == "install Xcode"
    tools = mac_tool("leaks", needs_root=False, platform="darwin", found=lambda name: None)
    assert "xcode-select --install" in (tools.remedy or "")
    there = mac_tool("heap", needs_root=False, platform="darwin", found=lambda name: f"/usr/bin/{name}")
    assert there.ok


def test_command_lines_are_those_of_the_manuals() -> None:
    """Each names the process, and ends by itself."""
    out = Path("out.txt")
    assert Sample().command(SampleOptions(7, out, 30)) == [
        "sample", "7", "30", "1", "-mayDie", "-fullPaths", "-file", "out.txt",
    ]  # fmt: skip
    assert Heap().command(HeapOptions(7)) == ["heap", "-s", "7"]
    assert Vmmap().command(VmmapOptions(7, summary_only=True)) == ["vmmap", "-summary", "7"]
    assert Leaks().command(LeaksOptions(7, Path("g.memgraph"))) == ["leaks", "--outputGraph=g.memgraph", "7"]
    assert MallocHistoryTool().command(MallocHistoryOptions(7)) == ["malloc_history", "7", "-allBySize"]
    entries = Dtrace().command(DtraceOptions(7, "entries", 5, "*put*"))
    assert entries[:6] == ["dtrace", "-q", "-x", "ustackframes=100", "-p", "7"]
    assert entries[-1] == "pid$target::*put*:entry { @[probefunc] = count(); } tick-5s { exit(0); }"
    trace = Xctrace().command(XctraceOptions(7, Path("a.trace"), "Leaks", 5))
    assert trace[:6] == ["xctrace", "record", "--template", "Leaks", "--attach", "7"]
    assert Xctrace().open_command(Path("a.trace")) == ["open", "-a", "Instruments", "a.trace"]


@pytest.mark.parametrize(
    ("symbols", "reason"),
    [
        (["__psynch_mutexwait", "_pthread_mutex_firstfit_lock_slow", "kv::put"], "lock"),
        (["__psynch_cvwait", "_pthread_cond_wait", "kv::Queue::pop"], "condition"),
        (["__psynch_cvwait", "_pthread_cond_wait", "take_gil", "PyEval_RestoreThread"], "gil"),
        (["__ulock_wait", "_pthread_join", "main"], "join"),
        (["__ulock_wait", "_os_unfair_lock_lock_slow", "kv::put"], "lock"),
        (["__semwait_signal", "nanosleep", "usleep"], "sleep"),
        (["semaphore_wait_trap", "_dispatch_semaphore_wait_slow", "kv::commit"], "event"),
        (["mach_msg2_trap", "mach_msg", "__CFRunLoopServiceMachPort"], "poll"),
        (["mach_msg_trap", "mach_msg", "_xpc_send"], "result"),
        (["__workq_kernreturn", "_pthread_wqthread", "start_wqthread"], "queue-get"),
        (["kevent", "uv__io_poll"], "poll"),
        (["fsync", "kv::Wal::sync"], "disk"),
        (["__write_nocancel", "kv::Wal::append"], "disk"),
        (["pread$NOCANCEL", "kv::Block::load"], "disk"),
        (["__recvfrom", "kv::Server::read"], "network-receive"),
        (["__wait4", "main"], "child"),
        (["_pthread_cond_wait", "kv::Queue::pop"], "condition"),
        (["_pthread_testcancel", "_pthread_cond_wait", "take_gil"], "gil"),
        (["_pthread_mutex_firstfit_lock_slow", "kv::put"], "lock"),
        (["pthread_mutex_unlock", "kv::put"], "running"),
        (["_platform_memmove", "kv::put"], "running"),
        (["kv::checksum"], "running"),
    ],
)
def test_the_innermost_symbols_say_what_a_thread_waits_for(symbols: list[str], reason: str) -> None:
    """The system call decides, and where it serves several ends, its callers."""
    system = {"_platform_memmove": "libsystem_platform.dylib", "kv::checksum": "kvbench"}
    threads = "libsystem_pthread.dylib" if symbols[0].lstrip("_").startswith("pthread") else KERNEL
    frames = [Frame(symbols[0], system.get(symbols[0], threads)), *(Frame(name) for name in symbols[1:])]
    assert wait_reason(frames) == reason


def test_a_function_of_the_program_that_is_named_as_a_call_is_none() -> None:
    """Only a leaf in the system's library is a system call."""
    assert wait_reason([Frame("write", "kvbench"), Frame("main", "kvbench")]) == "running"
