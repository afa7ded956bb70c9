"""How to prove a fix: the command line that measures the version before against the version after."""

from __future__ import annotations

import shlex
from typing import Any


def how_to_verify(meta: dict[str, Any]) -> str | None:
    """A command line for what was recorded (the recording's meta); None where nothing is known of how it is started.

    Engines are checked out in both versions; of a command, the new version's is to be filled in.
    """
    if meta.get("engine"):
        workload = f" --workload {meta['workload']}" if meta.get("workload") else ""
        return f"storeprof duel --engine {meta['engine']}{workload} --baseline-rev REVISION-BEFORE --candidate-rev HEAD"
    if meta.get("command"):
        before = shlex.quote(shlex.join(meta["command"]))
        return f"storeprof duel --baseline {before} --candidate 'THE SAME WITH THE CHANGE'"
    if meta.get("attached_pid"):
        return "storeprof record --pid PID again after the change, then storeprof compare BASELINE CANDIDATE"
    return None
