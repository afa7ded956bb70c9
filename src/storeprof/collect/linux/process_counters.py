"""What the kernel has counted for one process: bytes and calls, switches, faults, CPU time, peak memory."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_IO = {"syscr": "read_ops", "syscw": "write_ops", "read_bytes": "read_bytes", "write_bytes": "written_bytes"}
_SWITCHES = {"voluntary_ctxt_switches": "context_switches", "nonvoluntary_ctxt_switches": "preemptions"}
_MINFLT, _MAJFLT = 7, 9  # of the fields of `stat` behind the name


def counters_of(pid: int) -> dict[str, float]:
    """Cumulative counters of a process (zombies too) under the names of work; what can't be read is left out.

    Children that were waited for are in those of `io`, not in the others.
    """
    folder = Path("/proc") / str(pid)
    found: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in (folder / "io").read_text(encoding="ascii").splitlines():
            key, _, value = line.partition(": ")
            if key in _IO:
                found[_IO[key]] = float(value)
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        found |= {"page_faults": float(fields[_MINFLT]), "major_faults": float(fields[_MAJFLT])}
    return found | _switches(folder)


def _switches(folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    with contextlib.suppress(OSError):
        for task in (folder / "task").iterdir():
            with contextlib.suppress(OSError, ValueError):
                for line in (task / "status").read_text(encoding="utf-8", errors="replace").splitlines():
                    key, _, value = line.partition(":\t")
                    if key in _SWITCHES:
                        found[_SWITCHES[key]] = found.get(_SWITCHES[key], 0.0) + float(value)
    return found


def peak_rss_bytes(pid: int) -> float | None:
    """Peak resident memory of a process; None when it can't be read."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    return None


def cpu_s(pid: int) -> float | None:
    """CPU time of all threads of a process, to the ns; None when it has ended or the platform has no such clock."""
    clock = (~pid << 3) | 2  # a process's CPU clock, as clock_getcpuclockid(3) makes it
    with contextlib.suppress(OSError, OverflowError):
        return time.clock_gettime(clock)
    return None


def is_readable(pid: int) -> bool:
    """Whether the process's own files may be read."""
    return os.access(f"/proc/{pid}/io", os.R_OK)
