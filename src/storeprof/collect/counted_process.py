"""A process whose system calls are counted from its first one on: it is held until that is arranged."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.output_relay import open_pipe
from storeprof.collect.tool_process import HELD_PROGRAM, Process, start_tool
from storeprof.system_calls import COLLECTOR, SystemCalls

ATTACHED: Final = "an attached process has threads already, which can't be counted from one moment on"
NOT_ASKED: Final = SystemCalls.off("not asked for", None)


class CallCounts:
    """The collector `system-calls`: fsyncs and all system calls of a program that storeprof starts."""

    name = COLLECTOR

    def available(self, context: Context) -> Availability:
        """Try it on ourselves."""
        if context.target_pid is not None:
            return Availability(False, ATTACHED, "let storeprof start the program: record -- COMMAND")
        calls = SystemCalls()
        calls.close()
        return Availability(calls.reason is None, calls.reason, calls.remedy)


def start_counted(argv: Sequence[str], **how: Any) -> tuple[Process, SystemCalls]:
    """`start_tool` with the same arguments, and the counts of the system calls that it and its children will make.

    Where they can't be counted the process runs all the same, and the counts say why.
    """
    gate, release = open_pipe()
    try:
        process = start_tool([sys.executable, "-SE", "-c", HELD_PROGRAM, str(gate), *argv], pass_fds=(gate,), **how)
        calls = SystemCalls(process.pid, from_exec=True)
        os.write(release, b"x")
    finally:
        os.close(gate)
        os.close(release)
    return process, calls
