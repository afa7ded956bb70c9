"""Who descends from a process, from /proc alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """One process as /proc/PID/stat has it; CPU time in seconds, of its waited-for children apart."""

    pid: int
    state: str
    ppid: int
    start_ticks: int
    cpu_s: float
    children_cpu_s: float

    @property
    def ended(self) -> bool:
        """Whether only its exit status is left."""
        return self.state in "ZX"


def process_stat(pid: int) -> ProcessStat | None:
    """Read one process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rfind(b")") + 2 :].split()  # the name before may hold anything
    if len(fields) < 20:
        return None
    user, system, child_user, child_system = (int(value) / _TICKS for value in fields[11:15])
    return ProcessStat(
        pid, fields[0].decode(), int(fields[1]), int(fields[19]), user + system, child_user + child_system
    )


def children_of(pid: int) -> list[int]:
    """Children of a process, whichever of its threads started them; none when it is gone."""
    found: list[int] = []
    try:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/children", "rb", buffering=0) as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found


def descendants_of(pid: int, leave_out: Iterable[int] = ()) -> list[int]:
    """A process's children, theirs, and so on, parents first."""
    found: list[int] = []
    known = {pid, *leave_out}
    pending = [pid]
    while pending:
        children = [child for child in children_of(pending.pop(0)) if child not in known]
        known.update(children)
        found += children
        pending += children
    return found


def can_list_children() -> bool:
    """Whether this kernel says who the children of a process are (CONFIG_PROC_CHILDREN)."""
    return Path("/proc/thread-self/children").exists()
