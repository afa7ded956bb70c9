"""The samplers of one recording: one for each observed process, all within one CPU budget."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storeprof.observe._observer import Sampler
from storeprof.observe.probe_totals import ProbeTotals
from storeprof.observe.process_memory import ProcessMemory
from storeprof.recording.journal import RowSink
from storeprof.recording.schema import JournalTable

# What a sampler needs at least, in CPU seconds a second: ten looks at one thread.
FEWEST_S = 0.0004
# What it costs to begin: reading memory maps, the interpreter's symbols, the probe's header.
BEGIN_S = 0.002
BEGIN_SHARE = 0.08  # of the budget, after the burst
BURST = 16
PROBE_SHARE = 0.125  # of a process's budget, for reading what its probes count
EVEN = 0.5  # part of the budget divided evenly; the rest goes by the CPU time the processes use
MOST_NUMBERS = 0xFFFF  # a journal frame has 16 bits for it
_SUMS = ("rounds", "looks", "reused", "cpu_ns", "dropped_looks", "threads")


@dataclass
class _Running:
    number: int
    sampler: Sampler
    memory: ProcessMemory
    totals: ProbeTotals
    stats: Mapping[str, Any] = field(default_factory=dict)


class Samplers:
    """Makes, drains and retires samplers; rows go to the journal under the sampler's number.

    `budget`: CPU seconds a second for all of them together. `probe_budget`: part of a program's CPU time that its
    probes may take.
    """

    def __init__(self, journal: RowSink, budget: float, seed: int, probe_budget: float = 0.0) -> None:
        self._journal = journal
        self._budget = budget
        self._seed = seed
        self._probe_budget = probe_budget
        self._running: dict[int, _Running] = {}
        self._made = 0
        self._ended: dict[str, int] = dict.fromkeys(_SUMS, 0)
        self._first: Mapping[str, Any] = {}
        self._tokens = float(BURST)
        self._filled = time.monotonic()

    @property
    def made(self) -> int:
        """How many processes were observed so far."""
        return self._made

    def observes(self, pid: int) -> bool:
        """Whether a process is being looked at."""
        return pid in self._running

    def alive(self, pid: int) -> bool:
        """Whether an observed process is still there; a zombie is not."""
        return pid in self._running and self._running[pid].sampler.alive()

    def room(self) -> int:
        """How many more samplers the budget allows now."""
        now = time.monotonic()
        self._tokens += (now - self._filled) * BEGIN_SHARE * self._budget / BEGIN_S
        self._tokens, self._filled = min(self._tokens, float(BURST)), now
        most = max(BURST // 4, int(self._budget / FEWEST_S))
        return max(0, min(int(self._tokens), most - len(self._running), MOST_NUMBERS - self._made))

    def make(self, pid: int, ppid: int | None, *, before: bool, start: bool = True) -> None:
        """Observe a process (from `start_all` on without `start`).

        Raises ProcessLookupError when it is gone, PermissionError when it may not be looked at.
        """
        share = self._budget / (len(self._running) + 1)
        sampler = Sampler(pid, cpu_budget=min(1.0, share), seed=(self._seed + self._made) % 2**63 or 1)
        number, self._made = self._made, self._made + 1
        self._tokens -= 1
        totals = ProbeTotals(share * PROBE_SHARE, self._probe_budget)
        self._running[pid] = _Running(number, sampler, ProcessMemory(pid), totals)
        line = json.dumps({"process": 0, "ppid": ppid, "before": before}).encode() + b"\n"
        self._journal.append(JournalTable.PROCESSES, line, number)
        if start:
            self._start([sampler])

    def start_all(self) -> None:
        """Begin to look at what was made without being started."""
        self._start([one.sampler for one in self._running.values()])

    def _start(self, samplers: list[Sampler]) -> None:
        """Start threads that look at their time: a thread has the scheduling of the one that starts it.

        On busy CPUs an ordinary thread waits until the program blocks, and so sees mostly that it blocks. Without the
        privilege it stays an ordinary one.
        """
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        try:
            for sampler in samplers:
                sampler.start()
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def divide(self, cpu_s: Mapping[int, float]) -> None:
        """Divide the budget anew, half of it by the CPU time each pid used of late."""
        used = {pid: max(cpu_s.get(pid, 0.0), 1e-6) for pid in self._running}
        for pid, one in self._running.items():
            share = EVEN / len(used) + (1 - EVEN) * used[pid] / sum(used.values())
            one.sampler.set_budget(min(1.0, self._budget * share))

    def drain(self) -> None:
        """Write what was seen; samplers of processes that ended are retired."""
        for pid, one in list(self._running.items()):
            self._write(pid, one)
            if one.stats["gone"]:
                self._retire(pid)

    def stop(self) -> None:
        """Take the last totals of all and write them."""
        for pid in list(self._running):
            self._retire(pid)

    def _retire(self, pid: int) -> None:
        one = self._running.pop(pid)
        one.totals.put_gates_back()
        one.sampler.stop()
        self._write(pid, one, last=True)
        for key in _SUMS:
            self._ended[key] += int(one.stats[key])
        if one.number == 0:
            self._first = one.stats

    def _write(self, pid: int, one: _Running, last: bool = False) -> None:
        for process, memory in one.sampler.probes():
            one.totals.follow(process, memory, pid)
        drained = one.sampler.drain()
        for frames in (drained, one.memory.take(drained, time.monotonic_ns()), one.totals.take(last)):
            self._journal.append_all(frames, one.number)
        one.stats = dict(one.sampler.stats())

    def stats(self) -> dict[str, Any]:
        """Figures of the first process's sampler, with looks, CPU time and the like summed over all."""
        first = next((one.stats for one in self._running.values() if one.number == 0), self._first)
        sums = {
            key: self._ended[key] * (key != "threads") + sum(one.stats.get(key, 0) for one in self._running.values())
            for key in _SUMS
        }
        return {**first, **sums}
