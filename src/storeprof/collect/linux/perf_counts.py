"""System calls counted exactly by `perf stat`: fsyncs, and all of them; in runs of their own, as counting costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from storeprof.errors import CollectorError

# Calls that wait until data is durable; msync may (MS_ASYNC does not), so it counts too.
_SYNCS = ("fsync", "fdatasync", "msync", "sync_file_range", "sync", "syncfs")
_ALL = "raw_syscalls:sys_enter"


def command(perf: str, output: Path, argv: Sequence[str]) -> list[str]:
    """`argv` under perf's counting; the counts go to `output`."""
    events = ",".join([*(f"syscalls:sys_enter_{name}" for name in _SYNCS), _ALL])
    return [perf, "stat", "-x", ",", "-o", str(output), "-e", events, "--", *argv]


def parse(text: str) -> dict[str, float]:
    """Counts by the names of work. Raises CollectorError when an event was not counted."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        fields = line.split(",")
        if line.startswith("#") or len(fields) < 3:
            continue
        if not fields[0].isdecimal():
            raise CollectorError(
                f"perf counted no {fields[2]} ({fields[0]}): it needs root, or tracefs and perf events open"
            )
        name = "system_calls" if fields[2] == _ALL else "fsyncs"
        found[name] = found.get(name, 0.0) + float(fields[0])
    if set(found) != {"system_calls", "fsyncs"}:
        raise CollectorError("perf counted no system calls: it needs root, or tracefs and perf events open")
    return found
