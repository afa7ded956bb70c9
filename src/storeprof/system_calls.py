"""System calls counted exactly by the kernel: of this process, or of one that is held before exec, and all it starts.

Two perf events at the tracepoint of every system call: one counts all of them, one those that wait until data is
durable. What counting costs is known, so it ends where it would cost more than a budget. Imports nothing, as `errors`:
the driver of an engine counts its own calls between the two ends of its window, which nobody else knows as exactly.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

COLLECTOR = "system-calls"
# What both events add to a system call (78 to 118 ns for the cheapest one, best of 60 rounds on 2 shared CPUs).
CALL_COST_NS = 40
_SETTLED_S = 1.0  # a program's start makes more calls than the rest of its life
_TRACEFS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
_PERF_EVENT_OPEN, _SET_FILTER = 298, 0x40082406
_TRACEPOINT, _ATTRIBUTE_BYTES, _CLOSE_ON_EXEC = 2, 128, 8
_DISABLED, _INHERIT, _ENABLE_ON_EXEC = 1 << 0, 1 << 1, 1 << 12
# fsync, fdatasync, msync (MS_ASYNC does not wait; it is counted all the same), sync_file_range, sync, syncfs
_SYNCS = (74, 75, 26, 277, 162, 306)
ROOT = "record as root, or set sysctl kernel.perf_event_paranoid=-1 and make /sys/kernel/tracing readable"


class SystemCalls:
    """Counts from when it is made, or from the exec of a held process; `reason` and `remedy` say why it does not.

    Threads and children that the process starts from then on are counted, too.
    """

    def __init__(self, pid: int = 0, *, from_exec: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.reason: str | None = None
        self.remedy: str | None = None
        self._events: dict[str, int] = {}
        self._clock, self._start = clock, clock()
        if not sys.platform.startswith("linux") or os.uname().machine != "x86_64":
            self.reason, self.remedy = "the numbers of system calls are known of Linux on x86-64 only", None
            return
        syncs = " || ".join(f"id == {number}" for number in _SYNCS)
        try:
            for name, chosen in (("fsyncs", syncs), ("system_calls", None)):
                self._events[name] = _counter(pid, from_exec, chosen)
        except OSError as error:
            self.close()
            self.reason, self.remedy = f"the kernel's tracepoints may not be counted ({error.strerror})", ROOT

    @classmethod
    def off(cls, reason: str, remedy: str | None) -> SystemCalls:
        """One that does not count, for a reason."""
        one = cls.__new__(cls)
        one.reason, one.remedy, one._events = reason, remedy, {}
        return one

    def read(self) -> dict[str, int] | None:
        """`fsyncs` and `system_calls` until now; None when they are not counted."""
        if not self._events:
            return None
        return {name: int(struct.unpack("<Q", os.read(event, 8))[0]) for name, event in self._events.items()}

    def keep_within(self, share: float) -> None:
        """End counting when it has cost more than `share` of the time since it began."""
        counted = self.read()
        if counted is None or (seconds := self._clock() - self._start) < _SETTLED_S:
            return
        per_s = counted["system_calls"] / seconds
        cost = per_s * CALL_COST_NS / 1e9
        if cost > share:
            self.close()
            self.reason = f"{per_s:,.0f} system calls a second: counting them costs {cost:.1%}, over the budget"
            self.remedy = "give a larger --overhead-budget"

    def close(self) -> None:
        """Let go of the events."""
        for event in self._events.values():
            os.close(event)
        self._events = {}


def counted_between(before: dict[str, int] | None, after: dict[str, int] | None) -> dict[str, int] | None:
    """What was counted between two readings; None when either is not known."""
    return {name: after[name] - before[name] for name in after} if before and after else None


def _counter(pid: int, from_exec: bool, chosen: str | None) -> int:
    """A descriptor that reads as the count. Raises OSError."""
    flags = _INHERIT | (_DISABLED | _ENABLE_ON_EXEC if from_exec else 0)
    attribute = bytearray(_ATTRIBUTE_BYTES)
    struct.pack_into("<IIQQQQQ", attribute, 0, _TRACEPOINT, _ATTRIBUTE_BYTES, _tracepoint(), 0, 0, 0, flags)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = (ctypes.c_char * _ATTRIBUTE_BYTES).from_buffer(attribute)
    event = int(libc.syscall(_PERF_EVENT_OPEN, buffer, pid, -1, -1, _CLOSE_ON_EXEC))
    if event < 0:
        raise _last_error()
    if chosen is not None and libc.ioctl(event, ctypes.c_ulong(_SET_FILTER), chosen.encode()) < 0:
        error = _last_error()
        os.close(event)
        raise error
    return event


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _tracepoint() -> int:
    """The kernel's number of the tracepoint of all system calls. Raises OSError."""
    for folder in _TRACEFS:
        if folder.exists():
            return int((folder / "events" / "raw_syscalls" / "sys_enter" / "id").read_text(encoding="ascii"))
    raise FileNotFoundError(2, "no tracefs is mounted")
