"""Descendants whose parent has ended: they become our children instead of init's, so that they stay in view."""

from __future__ import annotations

import ctypes
import os
import resource

# Pids of what storeprof itself started (tool_process adds them): its other children are orphans of the program.
STARTED: set[int] = set()
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the subreaper of everything started from now on; where the kernel refuses, orphans go to init."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphan(pid: int) -> resource.struct_rusage | None:
    """Collect an adopted process that has ended; None when it has not, or is not our child."""
    try:
        found, _, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return usage if found else None
