"""Descendants whose parent has ended: they become our children instead of init's, so that they stay in view."""

from __future__ import annotations

import ctypes
import os
import resource

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the subreaper of everything started from now on; where the kernel refuses, orphans go to init."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphan(pid: int) -> resource.struct_rusage | None:
    """Collect an adopted process that has ended; None when it has not, or is not ours."""
    try:
        found, _, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return usage if found else None
