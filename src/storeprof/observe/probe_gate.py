"""The switch of a program's probes, moved from outside (docs/formats/shared-memory.md)."""

from __future__ import annotations

import os
import struct

_WORD = struct.Struct("<I")
ON, OFF = 1, 0


class ProbeGate:
    """The gate of one program: opened when it is found closed, and put back.

    The address comes from the program: it is written only where a gate (0 or 1) already stands.
    """

    def __init__(self, pid: int, address: int) -> None:
        self._memory = f"/proc/{pid}/mem"
        self._address = address
        self.changed = False

    def open(self) -> None:
        """Let the program count; one that was started for recording does already."""
        self.changed = self._move(ON)

    def put_back(self) -> None:
        """Leave the gate as it was found."""
        if self.changed:
            self._move(OFF)

    def _move(self, to: int) -> bool:
        if not self._address or self._address % _WORD.size:
            return False
        try:
            fd = os.open(self._memory, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            (now,) = _WORD.unpack(os.pread(fd, _WORD.size, self._address))
            return now == 1 - to and os.pwrite(fd, _WORD.pack(to), self._address) == _WORD.size
        except (OSError, struct.error):
            return False
        finally:
            os.close(fd)
