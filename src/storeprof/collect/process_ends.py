"""How processes that storeprof started end: with it, and with which status."""

import ctypes
import os
import signal
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> Callable[[], None]:
    """For a child between fork and exec: to be ended when our thread that started it ends, and plain signals."""

    def ask_kernel() -> None:
        # The recorder waits for signals with them blocked; a tool that inherits that could not be ended.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where storeprof was started in the background
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # died between fork and prctl
            os._exit(1)

    return ask_kernel


def shell_status(returncode: int) -> int:
    """A status as a shell gives it: 128+N for signal N."""
    return returncode if returncode >= 0 else 128 - returncode
