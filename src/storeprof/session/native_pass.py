"""perf beside the program: ready before it starts, stopped after it ends, its file kept as raw evidence."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storeprof.collect.collector import Availability, Context
from storeprof.collect.linux.frame_pointers import CallGraph, call_graph_for
from storeprof.collect.linux.perf import Perf, PerfOptions, PerfSession
from storeprof.errors import CollectorError
from storeprof.observe.descendants import descendants_of
from storeprof.recording.environment import children_cpu_s
from storeprof.session.options import RecordOptions

PERF_DATA = Path("raw") / "perf.data"


@dataclass
class NativePass:
    """perf's part of one recording; absent parts say why in `collector_rows`."""

    availability: Availability
    session: PerfSession | None = None
    stacks: tuple[CallGraph, str] | None = None
    cpu_s: float | None = field(default=None)

    @classmethod
    def start(cls, options: RecordOptions, folder: Path, pid: int) -> NativePass:
        """Attach perf to a process and wait until it records; without it the recording goes on."""
        if not options.use_perf:
            return cls(Availability(False, *options.without_perf()))
        availability = Perf().available(Context(target_pid=pid))
        if not availability.ok:
            return cls(availability)
        (folder / PERF_DATA).parent.mkdir(exist_ok=True)
        stacks = _stacks(options, pid)
        wanted = PerfOptions(
            data=folder / PERF_DATA,
            pid=pid,
            call_graph=stacks[0],
            others=tuple(descendants_of(pid)) if options.children and not options.command else (),
            held=bool(options.command),
            kernel="kernel" in availability.abilities,
            switches="switches" in availability.abilities,
        )
        try:
            session = PerfSession(wanted)
            session.enable()
        except CollectorError as error:
            return cls(Availability(False, str(error), "see what `perf record -p PID` says"))
        return cls(availability, session, stacks)

    def stop(self) -> None:
        """Let perf complete its file."""
        if self.session is None:
            return
        before = children_cpu_s()
        try:
            self.session.stop()
        except CollectorError as error:
            self.availability = Availability(False, str(error), "record again; see raw/perf.data.stderr")
        self.cpu_s = round(children_cpu_s() - before, 4)
        self.session = None

    def collector_rows(self) -> list[dict[str, Any]]:
        """What recording.json says of the collectors."""
        found = self.availability
        return [
            {
                "name": "perf",
                "ran": found.ok,
                "reason": found.reason,
                "remedy": found.remedy,
                "abilities": sorted(found.abilities),
                "call_graph": self.stacks[0] if self.stacks else None,
                "call_graph_why": self.stacks[1] if self.stacks else None,
            },
            {"name": "observer", "ran": True, "reason": None, "remedy": None},
        ]


def _stacks(options: RecordOptions, pid: int) -> tuple[CallGraph, str]:
    """How perf takes stacks, and why: as asked, or as the program's code allows."""
    if options.call_graph == "fp":
        return "fp", "asked for with --call-graph"
    if options.call_graph == "dwarf":
        return "dwarf", "asked for with --call-graph"
    if options.command:
        program = shutil.which(options.command[0])
        return call_graph_for([Path(program).resolve(), *_mapped_code("self", of_ours=True)] if program else [])
    return call_graph_for(_mapped_code(str(pid)))


def _mapped_code(process: str, of_ours: bool = False) -> list[Path]:
    """Files whose code a process has mapped, as it sees them; `of_ours`: only libc, which all programs share."""
    try:
        rows = [line.split() for line in Path(f"/proc/{process}/maps").read_text().splitlines()]
    except OSError:
        return []
    found = dict.fromkeys(row[5] for row in rows if len(row) == 6 and "x" in row[1] and row[5].startswith("/"))
    names = [name for name in found if not of_ours or "/libc.so" in name or "/libc-" in name]
    return [Path(f"/proc/{process}/root{name}") for name in names]
