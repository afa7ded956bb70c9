"""The part of one recording that counts system calls: whether they are counted here, and what recording.json says."""

from __future__ import annotations

import os
from typing import Any

from storeprof.collect.counted_process import ATTACHED
from storeprof.session.options import RecordOptions
from storeprof.system_calls import COLLECTOR, SystemCalls

WINDOW_FILE = "STOREPROF_WINDOW_FILE"


def counting(options: RecordOptions, held: int) -> SystemCalls:
    """Counts of COMMAND, which is held before exec as process `held`; where there can be none, why."""
    if not options.use_perf:
        return SystemCalls.off(*options.without_perf())
    if options.pid is not None:
        return SystemCalls.off(ATTACHED, "let storeprof start the program: record -- COMMAND")
    if {**os.environ, **options.environment}.get(WINDOW_FILE):
        return SystemCalls.off("the program counts its own between the ends of its window (window.json)", None)
    return SystemCalls(held, from_exec=True)


def counting_row(calls: SystemCalls) -> dict[str, Any]:
    """What recording.json says of it at the end."""
    return {"name": COLLECTOR, "ran": calls.read() is not None, "reason": calls.reason, "remedy": calls.remedy}
