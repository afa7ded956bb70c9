"""The recorder: runs or attaches to one program, and appends what is seen to the journal until it ends."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from storeprof import __version__
from storeprof.collect.linux.address_map import snapshot, write_snapshot
from storeprof.collect.linux.orphans import adopt_orphans
from storeprof.collect.tool_process import HeldCommand, OutputRelay
from storeprof.errors import StoreprofError, TargetError
from storeprof.recording.environment import cpu_contention, describe_machine, usable_cpus
from storeprof.recording.journal import JournalWriter
from storeprof.recording.model import JOURNAL, write_meta
from storeprof.recording.schema import FORMAT_VERSION
from storeprof.session.allocation_pass import AllocationPass
from storeprof.session.call_counts import counting, counting_row
from storeprof.session.folder import make_folder, remove_folder
from storeprof.session.map_growth import keep_first_map
from storeprof.session.named_operations import startup_environment
from storeprof.session.native_pass import NativePass
from storeprof.session.options import Outcome, RecordOptions
from storeprof.session.process_tree import ProcessTree, TreeOptions
from storeprof.session.progress import Progress
from storeprof.session.python_fallback import PythonFallback
from storeprof.session.samplers import Samplers
from storeprof.system_calls import SystemCalls

FIRST_MAP_S = 1.0
BESIDE_PERF = 0.7  # the sampler's part of the budget where perf needs the rest
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
# Signals sent to a COMMAND that has to end, and how long after the first one each comes.
ESCALATION = ((0.0, signal.SIGINT), (5.0, signal.SIGTERM), (10.0, signal.SIGKILL))


class Recorder:
    """One recording being made; `run` does it all and returns when the program ended or was let go."""

    def __init__(
        self, options: RecordOptions, progress: Progress, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._options = options
        self._progress = progress
        self._clock = clock
        self._folder = options.folder
        self._command: HeldCommand | None = None
        self._relay: OutputRelay | None = None
        self._ended_by = "exit"
        self._asked_ns: int | None = None
        self._escalated = 0
        self._terminal_interrupt = False
        self._began = False
        self._full_ns: int | None = None
        self._allocations = AllocationPass.absent()
        self._calls = SystemCalls.off("nothing was started", None)

    def run(self) -> Outcome:
        """Record.

        Returns the outcome with the tables not yet made (`finish` makes them). Raises a StoreprofError, and leaves no
        folder behind, when the program can't be started or attached to.
        """
        created = make_folder(self._folder)
        # Blocked and waited for, not handled: no race between a signal and the wait, and the sampler's thread and
        # perf never see them. HeldCommand gives the program an empty mask again.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            return self._record()
        except (StoreprofError, OSError) as error:
            self._abandon()
            if not self._began:
                remove_folder(self._folder, created)
            raise self._explained(error) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _record(self) -> Outcome:
        meta = self._new_meta()
        self._allocations = AllocationPass.prepare(self._options)
        pid = self._start_held()
        native = NativePass.start(self._options, self._folder, pid)
        self._calls = counting(self._options, pid)
        meta["collectors"] = [*native.collector_rows(), self._allocations.collector_row()]
        journal = JournalWriter(self._folder / JOURNAL)
        budget = self._options.observer_budget * usable_cpus() * (BESIDE_PERF if native.session else 1.0)
        python = PythonFallback(self._folder, pid)
        samplers = Samplers(journal, budget, seed=os.getpid(), probe_budget=self._options.observer_budget)
        tree = ProcessTree(self._tree_options(pid, budget), samplers)
        meta["started_ns"] = self._clock()
        write_meta(self._folder, meta)
        cpu_before = time.process_time()
        try:
            if self._command:
                self._command.release()  # exec has happened when it returns: no look at the fork of ourselves
            tree.start()
            self._began = True
            self._watch(tree, samplers, journal, python)
        finally:
            native.stop()
            python.stop()
            tree.stop()
        journal.append_all(self._allocations.take(self._clock()))
        meta["counted"] = self._calls.read()
        meta["collectors"][-1:] = [counting_row(self._calls), self._allocations.close()]
        self._calls.close()
        meta["collectors"] = python.completed(meta["collectors"])
        meta["ended_ns"] = self._full_ns or self._clock()
        meta["observer"] = self._observer_row(samplers.stats(), time.process_time() - cpu_before, native, python)
        status = self._let_go()
        meta["exit_status"] = status
        meta["ended_by"] = "disk-full" if journal.failure else self._ended_by
        meta["rusage"] = usage = self._rusage_row()
        meta["processes"] = tree.row(usage["user_s"] + usage["system_s"] if usage else None)
        meta["contention"]["after"] = cpu_contention()
        self._write_last(meta)
        journal.close()
        return Outcome(self._folder, 0 if status is None or self._ended_by == "duration" else status)

    def _new_meta(self) -> dict[str, Any]:
        options = self._options
        return {
            "format": FORMAT_VERSION,
            "state": "recording",
            "id": str(uuid.uuid4()),
            "storeprof": __version__,
            "command": list(options.command) or None,
            "attached_pid": options.pid,
            **options.description,
            "overhead_budget_percent": round(100 * options.observer_budget, 4),
            "operations_asked": [{"name": name} for name in options.operations],
            "instrument_asked": [{"name": pattern} for pattern in options.instrument],
            "started_at": datetime.now().astimezone().isoformat(timespec="seconds"),
            "window": None,
            "machine": describe_machine(),
            "contention": {"before": cpu_contention(), "after": None},
            "recorder_pid": os.getpid(),
        }

    def _start_held(self) -> int:
        options = self._options
        if options.pid is not None:
            return options.pid
        self._relay = OutputRelay(self._folder / "program-counts.jsonl", options.ops_pattern)
        before = {**os.environ, **options.environment}.get("PYTHONPATH")
        asked = (*options.operations, *(f"instrument:{pattern}" for pattern in options.instrument))
        startup = startup_environment(asked, self._folder, before)
        additions = {"STOREPROF_RECORD": "1", **options.environment, **startup, **self._allocations.environment}
        self._command = HeldCommand(options.command, env_additions=additions, stdout=self._relay.program_end)
        self._allocations.admit(self._command.pid)
        return self._command.pid

    def _tree_options(self, pid: int, budget: float) -> TreeOptions:
        launched = self._command is not None
        if launched and self._options.children:
            adopt_orphans()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        # Three files a thread; ours alone, since the program was forked before.
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return TreeOptions(pid, self._options.children, budget, launched)

    def _watch(self, tree: ProcessTree, samplers: Samplers, journal: JournalWriter, python: PythonFallback) -> None:
        started = self._clock()
        next_map = FIRST_MAP_S
        while tree.alive() and not (self._command and self._command.ended()):
            self._handle(signal.sigtimedwait(_HANDLED, tree.pause_s()))
            if tree.step():
                journal.append_all(self._allocations.take(self._clock()))
                self._calls.keep_within(self._options.observer_budget)
                stats = samplers.stats()
                python.update(stats["python"])
                self._note_full(journal)
                self._progress.update((self._clock() - started) / 1e9, stats)
            elapsed = (self._clock() - started) / 1e9
            if elapsed >= next_map:
                self._keep_map(tree.busiest())
                next_map *= 2
            if self._options.duration_s is not None and elapsed >= self._options.duration_s and self._asked_ns is None:
                self._ask_to_end("duration")
            if self._asked_ns is not None:
                if self._command is None:
                    break
                self._escalate()
        self._progress.done()

    def _note_full(self, journal: JournalWriter) -> None:
        """The recording ends where the disk is full; the program goes on."""
        if journal.failure and self._full_ns is None:
            self._full_ns = self._clock()
            print(f"storeprof: {journal.failure}: recording stopped, the program goes on", file=sys.stderr, flush=True)

    def _write_last(self, meta: dict[str, Any]) -> None:
        try:
            write_meta(self._folder, meta)
        except OSError as error:  # the journal alone is enough to finish the recording when there is room again
            print(f"storeprof: {self._folder}: {error.strerror}; make room, then `storeprof analyze`", file=sys.stderr)

    def _handle(self, received: Any) -> None:
        if received is None or received.si_signo == signal.SIGCHLD:
            return
        # A terminal's Ctrl-C (SI_KERNEL) reaches the whole foreground group, the program included.
        self._terminal_interrupt = received.si_code == 0x80
        if self._asked_ns is None:
            self._ask_to_end("interrupt")

    def _ask_to_end(self, why: str) -> None:
        self._ended_by = why
        self._asked_ns = self._clock()
        self._escalated = 1 if why == "interrupt" and self._terminal_interrupt else 0

    def _escalate(self) -> None:
        assert self._asked_ns is not None and self._command is not None
        waited = (self._clock() - self._asked_ns) / 1e9
        if self._escalated < len(ESCALATION) and waited >= ESCALATION[self._escalated][0]:
            self._command.send(ESCALATION[self._escalated][1])
            self._escalated += 1

    def _keep_map(self, pid: int) -> None:
        """Keep the latest address-space map: a program's end can't be asked for one."""
        found = snapshot(pid)
        if not found:
            return
        with contextlib.suppress(OSError):  # a full disk is noticed by the journal
            keep_first_map(found, self._folder, pid)
            before = list(self._folder.glob("vmmap_analysis_*.txt"))
            kept = write_snapshot(found, self._folder, pid, datetime.now())
            for path in before:
                if path != kept:
                    path.unlink()

    def _let_go(self) -> int | None:
        if self._command is None:
            return None
        status = self._command.reap()
        if self._relay and not self._relay.finish():
            print(
                "storeprof: a child of the program still holds its output; not waiting for it",
                file=sys.stderr,
            )
        return status

    def _rusage_row(self) -> dict[str, float] | None:
        if self._command is None:
            return None
        usage = self._command.rusage
        return {"user_s": usage.ru_utime, "system_s": usage.ru_stime, "max_rss_bytes": usage.ru_maxrss * 1024}

    def _observer_row(
        self, stats: dict[str, Any], own_cpu_s: float, native: NativePass, python: PythonFallback
    ) -> dict[str, Any]:
        sampler_s = float(stats.get("cpu_ns", 0)) / 1e9
        return {
            "looks": stats.get("looks"),
            "mean_interval_ns": stats.get("mean_interval_ns"),
            "sampler_cpu_s": round(sampler_s, 4),
            "recorder_cpu_s": round(max(0.0, own_cpu_s - sampler_s), 4),
            "native_cpu_s": native.cpu_s,
            "py_spy_cpu_s": python.cpu_s,
            "sampler": stats,
        }

    def _abandon(self) -> None:
        if self._command is not None:
            if self._began:
                self._command.send(signal.SIGTERM)
            self._command.abandon()
        if self._relay is not None:
            self._relay.finish()

    def _explained(self, error: Exception) -> Exception:
        pid = self._options.pid
        if pid is None or self._began or not isinstance(error, ProcessLookupError | PermissionError):
            return error
        if isinstance(error, ProcessLookupError):
            return TargetError(f"no process with pid {pid}; `ps` lists those that run")
        return TargetError(
            f"process {pid} is hidden from this user (/proc has hidepid); run storeprof as its user or as root"
        )


def record(options: RecordOptions, progress: Progress) -> Outcome:
    """Record a program as `options` say; see `Recorder.run`."""
    return Recorder(options, progress).run()


def pid_of_name(name: str) -> int:
    """Pid of the newest process with this name (comm, or the base name of its program).

    Raises TargetError when there is none.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                comm = (entry / "comm").read_text().strip()
                program = Path((entry / "cmdline").read_bytes().split(b"\0", 1)[0].decode(errors="replace")).name
                if name in (comm, program):
                    found.append((entry.stat().st_mtime_ns, int(entry.name)))
            except OSError:
                continue
    if not found:
        raise TargetError(f"no process named {name!r}; `ps` lists those that run")
    return max(found)[1]
