"""One run of a command from start to end, with what the kernel counted for it and the operations it stated."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from storeprof.collect.counted_process import NOT_ASKED, start_counted
from storeprof.collect.linux.process_counters import counters_of
from storeprof.collect.output_relay import OPS_PATTERN, OpsLines
from storeprof.collect.tool_process import Process, start_tool
from storeprof.system_calls import SystemCalls

_BLOCK = 512


@dataclass(frozen=True)
class WholeRun:
    """How a run ended and what it took. `ops` and `seconds` are sums over its `ops=` lines, None without any.

    `work`: counts over the whole run by the names of work. `counted`: its system calls, None where they were not asked
    for or `calls` says why they can't be counted. The end of its standard error is for a message.
    """

    status: int
    wall_s: float
    cpu_s: float
    peak_rss_bytes: float
    ops: int | None
    seconds: float | None
    work: Mapping[str, float]
    last_words: str
    timed_out: bool = False
    calls: SystemCalls = NOT_ASKED
    counted: Mapping[str, int] | None = None


def run_whole(
    argv: Sequence[str],
    folder: Path,
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pattern: bytes = OPS_PATTERN,
    counted: bool = False,
) -> WholeRun:
    """Run a command to its end; its outputs go to files in `folder`, which exists.

    Raises CollectorError when it can't be started.
    """
    out, err = folder / "stdout", folder / "stderr"
    with open(out, "wb") as stdout, open(err, "wb") as stderr:
        started = time.monotonic()
        calls = NOT_ASKED
        if counted:
            process, calls = start_counted(argv, stdout=stdout, stderr=stderr, env=env, cwd=cwd)
        else:
            process = start_tool(argv, stdout=stdout, stderr=stderr, env=env, cwd=cwd)
        try:
            timed_out = not ended_within(process, timeout_s)
        except BaseException:
            _kill(process)
            process.wait()
            raise
        if timed_out:
            _kill(process)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall_s = time.monotonic() - started
        called = calls.read()
        calls.close()
        work = counters_of(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    work |= {
        "context_switches": float(usage.ru_nvcsw),
        "preemptions": float(usage.ru_nivcsw),
        "page_faults": float(usage.ru_minflt),
        "major_faults": float(usage.ru_majflt),
    }
    work.setdefault("read_bytes", float(usage.ru_inblock * _BLOCK))
    work.setdefault("written_bytes", float(usage.ru_oublock * _BLOCK))
    stated = _stated(out, pattern)
    timed = [(ops, seconds) for ops, seconds in stated if seconds]
    return WholeRun(
        status=process.returncode if process.returncode >= 0 else 128 - process.returncode,
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_rss_bytes=float(usage.ru_maxrss * 1024),
        ops=sum(ops for ops, _ in timed or stated) if stated else None,
        seconds=sum(seconds for _, seconds in timed) if timed else None,
        work=work,
        last_words=err.read_text(errors="replace")[-400:].strip(),
        timed_out=timed_out,
        calls=calls,
        counted=called,
    )


def _stated(path: Path, pattern: bytes) -> list[tuple[int, float | None]]:
    lines = OpsLines(pattern)
    stated: list[tuple[int, float | None]] = []
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            stated += lines.feed(piece)
    return stated + list(lines.close())


def ended_within(process: Process, timeout_s: float) -> bool:
    """Wait for the end without reaping: the zombie's counters are still to be read."""
    pidfd = os.pidfd_open(process.pid)
    try:
        waiter = select.poll()
        waiter.register(pidfd, select.POLLIN)
        return bool(waiter.poll(int(timeout_s * 1000)))
    finally:
        os.close(pidfd)


def _kill(process: Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
