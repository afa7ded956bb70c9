"""Measuring the truth of a case: throughput with and without the plant, interleaved, and what its threads wait for."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from accuracy.running import THROUGHPUT, CannotRun, Prepared

# A thread that hardly ran or queued (a main that joins, a worker without work) is not one of the busy ones.
BUSY = 0.02


@dataclass(frozen=True)
class Run:
    """One run of a program: operations per second, and shares of its busy threads' time by the kernel's count."""

    rate: float
    rate_per_cpu_s: float
    running: float
    queueing: float
    blocked: float


def threads_of(pid: int) -> dict[str, tuple[float, float]]:
    """Seconds on a CPU and seconds in a run queue of each thread of a process and its children."""
    told = {}
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for task in Path(f"/proc/{pid}/task").iterdir():
            ran, queued, _ = (task / "schedstat").read_text().split()
            told[task.name] = (int(ran) / 1e9, int(queued) / 1e9)
    except OSError:
        return told
    for child in children:
        told.update(threads_of(int(child)))
    return told


def watch(prepared: Prepared, plant: bool) -> Run:
    """Run a program once and look at its threads ten times a second."""
    environment = {**os.environ, "RUN_SECONDS": str(prepared.seconds), "PLANT": "1" if plant else "0"}
    process = subprocess.Popen(
        prepared.command, cwd=prepared.folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    seen: dict[str, tuple[float, float]] = {}
    last: dict[str, tuple[float, float, float]] = {}
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        now = time.monotonic()
        for name, (ran, queued) in threads_of(process.pid).items():
            seen.setdefault(name, (now, ran + queued))
            last[name] = (now, ran, queued)
        time.sleep(0.1)
    assert process.stdout is not None
    with process.stdout:
        out = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    found = THROUGHPUT.search(out)
    if found is None:
        raise CannotRun(f"{prepared.case.name}: no ops= line in {out[-200:]!r}")
    busy = [
        (last[name][0] - since, last[name][1], last[name][2])
        for name, (since, _) in seen.items()
        if last[name][1] + last[name][2] > BUSY * (last[name][0] - since) > 0
    ]
    wall = sum(one[0] for one in busy) or 1.0
    running, queueing = sum(one[1] for one in busy) / wall, sum(one[2] for one in busy) / wall
    return Run(
        rate=int(found[1]) / float(found[2]),
        rate_per_cpu_s=int(found[1]) / ((usage.ru_utime + usage.ru_stime) or 1.0),
        running=running,
        queueing=queueing,
        blocked=max(0.0, 1 - running - queueing),
    )


def measure(prepared: Prepared, rounds: int) -> dict[str, float]:
    """Medians over interleaved rounds: `speedup` is the median of the rounds' ratios, PLANT=0 over PLANT=1."""
    pairs = [(watch(prepared, True), watch(prepared, False)) for _ in range(rounds)]
    told = {
        "speedup": statistics.median(without.rate / planted.rate for planted, without in pairs),
        "speedup_cpu": statistics.median(without.rate_per_cpu_s / planted.rate_per_cpu_s for planted, without in pairs),
    }
    for name in ("rate", "running", "queueing", "blocked"):
        told[name] = statistics.median(getattr(planted, name) for planted, _ in pairs)
        told[f"{name}_without"] = statistics.median(getattr(without, name) for _, without in pairs)
    return told
