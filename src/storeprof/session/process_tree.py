"""The processes of one recording: who is there, who is worth a sampler, and what nobody looked at.

See docs/decisions/0007-one-sampler-a-process.md.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from storeprof.collect.linux.orphans import STARTED, reap_orphan
from storeprof.observe.descendants import ProcessStat, can_list_children, children_of, descendants_of, process_stat
from storeprof.session.samplers import Samplers

DRAIN_S = 0.25
DIVIDE_S = 1.0
SCAN_S = ((1.0, 0.025), (3.0, 0.1))  # how long after the start, or the last newcomer, and how often
SELDOM_S = 0.25
SCAN_SHARE = 0.125  # of the budget
NOT_ASKED = "not asked for: --subprocesses observes children too"
NO_LIST = "this kernel does not list the children of a process"


@dataclass
class _Process:
    """One process as last seen; `divided_cpu_s` is its CPU time when the budget was last divided."""

    stat: ProcessStat
    ppid: int | None
    before: bool
    observed: bool = False
    may_be_observed: bool = True
    divided_cpu_s: float = 0.0


@dataclass(frozen=True)
class TreeOptions:
    """Of which process the tree is, whether `children` are observed, and the CPU budget in CPU seconds a second.

    `adopted`: the program was launched, and orphans of its tree become our own children.
    """

    root: int
    children: bool
    budget: float
    adopted: bool


class ProcessTree:
    """Looks after the processes of a recording, by being asked to `step` often."""

    def __init__(self, options: TreeOptions, samplers: Samplers) -> None:
        self._options = options
        self._samplers = samplers
        self._known: dict[int, _Process] = {}
        self._seen = self._refused = 0
        self._orphans_cpu_s = 0.0
        self._reason = None if options.children else NOT_ASKED
        if options.children and not can_list_children():
            self._reason = NO_LIST
        self._newest = self._next_scan = self._next_drain = self._next_divide = 0.0
        self._used: dict[int, float] = {}
        self._cpu_before_s = 0.0
        root = process_stat(options.root)
        if root is None:
            os.kill(options.root, 0)  # PermissionError where /proc hides it
            raise ProcessLookupError(options.root)
        samplers.make(options.root, root.ppid, before=not options.adopted, start=False)
        self._seen += 1
        self._known[options.root] = _Process(root, root.ppid, not options.adopted, observed=True)

    def start(self) -> None:
        """Begin to look; an attached process's children that run already are found at once."""
        self._newest = time.monotonic()
        self._samplers.start_all()
        if self._reason is None and not self._options.adopted:
            self._add(descendants_of(self._options.root), before=True)
            self._admit()
        if not self._options.adopted:
            self._cpu_before_s = self._living_cpu_s()

    def alive(self) -> bool:
        """Whether the root is still there; a zombie is not."""
        return self._samplers.alive(self._options.root)

    def pause_s(self) -> float:
        """How long nothing needs to be done."""
        due = self._next_drain if self._reason else min(self._next_scan, self._next_drain)
        return max(0.001, due - time.monotonic())

    def step(self) -> bool:
        """Do what is due; whether rows were written."""
        now = time.monotonic()
        if self._reason is None and now >= self._next_scan:
            before = time.thread_time()
            self._scan()
            cost = time.thread_time() - before
            quiet = now - self._newest
            period = next((period for until, period in SCAN_S if quiet < until), SELDOM_S)
            self._next_scan = now + max(period, cost / (self._options.budget * SCAN_SHARE))
        if now >= self._next_divide:
            self._divide()
            self._next_divide = now + DIVIDE_S
        if now < self._next_drain:
            return False
        self._samplers.drain()
        self._next_drain = now + DRAIN_S
        return True

    def _scan(self) -> None:
        """See who came and who went."""
        for pid, process in list(self._known.items()):
            stat = process_stat(pid)
            if stat is None or stat.ended or stat.start_ticks != process.stat.start_ticks:
                del self._known[pid]
            else:
                process.stat = stat
        self._admit()  # those of an earlier scan: what has ended since was not worth a sampler
        fresh = [child for pid in list(self._known) for child in children_of(pid)]
        if self._options.adopted:
            fresh += self._orphans()
        self._add([pid for pid in fresh if pid not in self._known], before=False)

    def _orphans(self) -> list[int]:
        """Adopted processes that live; those that have ended are collected."""
        living = []
        for pid in set(children_of(os.getpid())) - STARTED:
            usage = reap_orphan(pid)
            if usage is None:
                living.append(pid)
            else:
                self._orphans_cpu_s += usage.ru_utime + usage.ru_stime
        return living

    def _add(self, pids: list[int], *, before: bool) -> None:
        for pid in pids:
            stat = process_stat(pid)
            if stat is None or stat.ended:
                continue
            self._seen += 1
            self._newest = max(self._newest, time.monotonic() - SCAN_S[0][0])
            ppid = stat.ppid if stat.ppid != os.getpid() else None  # adopted: who it was is not known any more
            self._known[pid] = _Process(stat, ppid, before, divided_cpu_s=stat.cpu_s)

    def _admit(self) -> None:
        """Make samplers for the waiting processes that used most CPU time, as far as the budget goes."""
        waiting = [
            one
            for pid, one in self._known.items()
            if one.may_be_observed and not one.observed and not self._samplers.observes(pid)  # (a pid used again)
        ]
        room = self._samplers.room() if waiting else 0
        for process in sorted(waiting, key=lambda one: (-one.stat.cpu_s, one.stat.start_ticks))[:room]:
            try:
                self._samplers.make(process.stat.pid, process.ppid, before=process.before)
                process.observed = True
            except ProcessLookupError:
                continue
            except OSError:  # another user's, or no descriptors left
                process.may_be_observed = False
                self._refused += 1
        if room:
            self._samplers.divide(self._used)

    def _divide(self) -> None:
        self._used = {pid: one.stat.cpu_s - one.divided_cpu_s for pid, one in self._known.items()}
        for one in self._known.values():
            one.divided_cpu_s = one.stat.cpu_s
        self._samplers.divide(self._used)

    def stop(self) -> None:
        """Take the last totals of all that are left."""
        if self._reason is None:
            self._scan()
        self._samplers.stop()

    def busiest(self) -> int:
        """Pid of the observed process that used most CPU time."""
        observed = [one for one in self._known.values() if one.observed]
        return max(observed, key=lambda one: one.stat.cpu_s).stat.pid if observed else self._options.root

    def _living_cpu_s(self) -> float:
        """CPU time of the living, and of the children they waited for, but for the root of a launched program."""
        living = (process_stat(pid) for pid in self._known if not (self._options.adopted and pid == self._options.root))
        return sum(stat.cpu_s + stat.children_cpu_s for stat in living if stat)

    def cpu_s(self, root_s: float | None) -> float | None:
        """CPU time of the whole tree while it was recorded, in seconds; `root_s` is what COMMAND's end told.

        None when an attached process has ended: its account is gone.
        """
        if self._options.adopted:
            return None if root_s is None else root_s + self._orphans_cpu_s + self._living_cpu_s()
        gone = process_stat(self._options.root) is None
        return None if gone else max(0.0, self._living_cpu_s() - self._cpu_before_s)

    def row(self, root_s: float | None) -> dict[str, Any]:
        """`processes` of recording.json, without what only the finished tables can tell."""
        cpu_s = self.cpu_s(root_s)
        return {
            "observed": self._samplers.made,
            "seen": self._seen,
            "cpu_s": None if cpu_s is None else round(cpu_s, 4),
            "refused": self._refused,
            "reason": self._reason,
        }
