"""What the user asked to record, as one frozen object."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storeprof.collect.output_relay import OPS_PATTERN


@dataclass(frozen=True)
class RecordOptions:
    """One recording: of COMMAND, or of a running process (`pid`), into `folder`.

    `duration_s`: None records until the program ends. `environment` is added to COMMAND's. `description` goes into
    recording.json as it is (engine, workload …). `observer_budget` is CPU seconds per second over usable CPUs.
    `children`: observe the program's children too. `call_graph`: how perf takes stacks, "fp" or "dwarf"; None lets
    the program's code decide. `operations`: functions to time, as MODULE.FUNCTION. `instrument`: patterns
    of modules whose functions are all timed.
    `groups`: what to collect (storeprof.collect.pass_tool.GROUPS); `entries`: patterns of functions whose calls are
    traced. `pass_command` is run in the passes instead of `command`, where that would take too long; a pass is ended
    after `pass_limit_s` (None: as long as the timing run lets expect).
    """

    folder: Path
    command: tuple[str, ...] = ()
    pid: int | None = None
    duration_s: float | None = None
    environment: dict[str, str] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    ops_pattern: bytes = OPS_PATTERN
    operations: tuple[str, ...] = ()
    instrument: tuple[str, ...] = ()
    observer_budget: float = 0.01
    use_perf: bool = True
    call_graph: str | None = None
    use_allocation_hook: bool = True
    children: bool = True
    groups: frozenset[str] = frozenset()
    entries: tuple[str, ...] = ()
    pass_command: tuple[str, ...] = ()
    pass_limit_s: float | None = None

    def without_perf(self) -> tuple[str, str]:
        """Why perf stays out, and what would take it in, in the words of who asked for this."""
        if self.groups and "cpu" not in self.groups:
            return "cpu is not among what was to be collected", "record with cpu in --collect"
        return "switched off with --no-perf", "record without --no-perf"


@dataclass(frozen=True)
class Outcome:
    """Where the recording is and how the program ended (as a shell gives it; 0 when attached or timed)."""

    folder: Path
    exit_status: int
