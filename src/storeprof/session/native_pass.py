"""perf beside the program: ready before it starts, stopped after it ends, its file kept as raw evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storeprof.collect.collector import Availability, Context
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
    cpu_s: float | None = field(default=None)

    @classmethod
    def start(cls, options: RecordOptions, folder: Path, pid: int) -> NativePass:
        """Attach perf to a process and wait until it records; without it the recording goes on."""
        if not options.use_perf:
            return cls(Availability(False, "switched off with --no-perf", "record without --no-perf"))
        availability = Perf().available(Context(target_pid=pid))
        if not availability.ok:
            return cls(availability)
        (folder / PERF_DATA).parent.mkdir(exist_ok=True)
        wanted = PerfOptions(
            data=folder / PERF_DATA,
            pid=pid,
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
        return cls(availability, session)

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
            },
            {"name": "observer", "ran": True, "reason": None, "remedy": None},
        ]
