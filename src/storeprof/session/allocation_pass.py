"""The allocation hook's part of one recording: its memory, what is drained from it, the maps its addresses need."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from storeprof.collect.collector import Availability
from storeprof.collect.command_check import check_command
from storeprof.collect.linux.address_map import executable_mappings
from storeprof.collect.linux.allocation_hook import PRELOAD, AllocationRegion, available, is_launcher
from storeprof.recording.schema import JOURNAL_DTYPES, JournalTable
from storeprof.session.options import RecordOptions

HOOK = "allocation hook"
STACK_RECORD = 3
_ATTACHED = Availability(
    False,
    "an attached process can't be given the allocation hook",
    "let storeprof start the program: record -- COMMAND",
)
_NEVER_LOADED = "the program never loaded the allocation hook (a launcher may have started it as a child)"
_OFF = Availability(False, "switched off with --no-alloc-hook", "record without --no-alloc-hook")


@dataclass
class AllocationPass:
    """Without a region the recording goes on, and `collector_row` says why."""

    availability: Availability
    region: AllocationRegion | None = None
    launcher: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    _pid: int = 0
    _maps: list[list[Any]] = field(default_factory=list)

    @classmethod
    def absent(cls) -> AllocationPass:
        """No hook: what holds until a command is about to be started."""
        return cls(_ATTACHED)

    @classmethod
    def prepare(cls, options: RecordOptions) -> AllocationPass:
        """Make the region before the program is forked. Raises a TargetError when COMMAND can't be executed."""
        if not options.use_allocation_hook:
            return cls(_OFF)
        if options.pid is not None:
            return cls.absent()
        wanted = {**os.environ, **options.environment}
        program = check_command(options.command, wanted.get("PATH"))
        found = available(program)
        if not found.ok:
            return cls(found)
        try:
            region = AllocationRegion()
        except OSError as error:
            return cls(
                Availability(False, f"no memory for its records: {error.strerror}", "free memory; see ulimit -f")
            )
        return cls(found, region, is_launcher(program), region.environment(wanted.get(PRELOAD)))

    def admit(self, pid: int) -> None:
        """Let the held program write."""
        self._pid = pid
        if self.region:
            self.region.admit(pid, self.launcher)

    def take(self, t_ns: int) -> list[tuple[int, bytes]]:
        """(table number, payload) recorded since the last call, with the mappings that new native stacks need."""
        records = self.region.drain() if self.region else b""
        if not records:
            return []
        frames: list[tuple[int, bytes]] = [(JournalTable.ALLOCATIONS, records)]
        if (np.frombuffer(records, JOURNAL_DTYPES[JournalTable.ALLOCATIONS])["kind"] == STACK_RECORD).any():
            maps = executable_mappings(Path(f"/proc/{self._pid}/maps"))
            if maps and maps != self._maps:
                self._maps = maps
                line = json.dumps({"pid": self._pid, "t_ns": t_ns, "maps": maps})
                frames.append((JournalTable.ALLOCATION_MAPS, line.encode() + b"\n"))
        return frames

    def collector_row(self) -> dict[str, Any]:
        """What recording.json says of the hook before the program starts."""
        found = self.availability
        return {"name": HOOK, "ran": found.ok, "reason": found.reason, "remedy": found.remedy}

    def close(self) -> dict[str, Any]:
        """Let go of the region; returns what recording.json says of the hook at the end."""
        row = self.collector_row()
        if self.region is None:
            return row
        state = self.region.state()
        self.region.close()
        if not state.pop("hooked"):
            row.update(ran=False, reason=_NEVER_LOADED, remedy="name the program itself behind --")
        return {**row, **state}
