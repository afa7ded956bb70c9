"""Running a planted program: a copy on a real disk, built there, started with its environment."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accuracy.planted import Case

INCLUDE = Path(__file__).resolve().parents[2] / "include"
THROUGHPUT = re.compile(r"ops=(\d+) seconds=([\d.]+)")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "data-*", "main")


class CannotRun(Exception):
    """A program that can't be built or started; the message says why."""


@dataclass(frozen=True)
class Ended:
    """How a command ended; -1 is the status of one that took too long and was killed."""

    status: int
    out: str
    errors: str

    @property
    def throughput(self) -> float | None:
        """Operations per second as the program counted them."""
        found = THROUGHPUT.search(self.out)
        return int(found[1]) / float(found[2]) if found and float(found[2]) > 0 else None

    @property
    def note(self) -> str:
        """Empty, or how it failed."""
        return "" if self.status == 0 else f"exit {self.status}: {self.errors.strip()[-200:]}"


@dataclass(frozen=True)
class Prepared:
    """A copy of a case, built; `python` stands for the python3 of its command."""

    case: Case
    folder: Path
    python: str
    seconds: float

    @property
    def command(self) -> list[str]:
        """The command, with the interpreter that was asked for."""
        first, *rest = self.case.command
        return [self.python if first == "python3" else first, *rest]

    def call(self, command: Sequence[str], plant: bool = True, seconds: float | None = None) -> Ended:
        """Run a command in the folder of the case, in a process group of its own."""
        environment = {**os.environ, "RUN_SECONDS": str(seconds or self.seconds), "PLANT": "1" if plant else "0"}
        return call(command, self.folder, environment, timeout=90 + 6 * self.seconds)


def call(command: Sequence[str], folder: Path, environment: dict[str, str], timeout: float) -> Ended:
    """Run a command to its end; a timeout ends only what was started here."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, errors = process.communicate()
        return Ended(-1, out, f"{errors}\ntook over {timeout:.0f} s and was killed")
    return Ended(process.returncode, out, errors)


def prepare(case: Case, work: Path, python: str = sys.executable, seconds: float = 8) -> Prepared:
    """Copy a case and the parts it shares into `work`, keeping their places to each other, and build it there."""
    folder = work / "cases" / case.name
    shutil.copytree(case.folder, folder, ignore=NOT_COPIED)
    parts = case.folder.parent.parent / "parts"
    if parts.is_dir() and not (work / "parts").exists():
        shutil.copytree(parts, work / "parts", ignore=NOT_COPIED)
    if case.build is not None:
        built = call(["sh", "-c", case.build], folder, {**os.environ, "STOREPROF_INCLUDE": str(INCLUDE)}, timeout=300)
        if built.status:
            raise CannotRun(f"{case.name}: the build failed: {built.errors.strip()[-400:]}")
    return Prepared(case, folder, python, seconds)


class Outside:
    """CPUs that programs other than our children had since the start, the hypervisor's share included."""

    def __init__(self) -> None:
        self.started, self.busy, self.own = time.monotonic(), busy_seconds(), children_seconds()

    def cpus(self) -> float:
        """How many CPUs others took on average until now."""
        others = (busy_seconds() - self.busy) - (children_seconds() - self.own)
        return max(0.0, others / (time.monotonic() - self.started))


def busy_seconds() -> float:
    """Seconds that all CPUs together were busy or taken since boot."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def children_seconds() -> float:
    """CPU seconds of the children that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def sync_latency(folder: Path) -> float:
    """Median seconds of an fdatasync after 200 bytes; next to nothing on a file system in memory."""
    took = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(30):
            file.write(bytes(200))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - started)
    return statistics.median(took)
