"""The switch of a program's probes and the budget they keep, set from outside (docs/formats/shared-memory.md)."""

from __future__ import annotations

import os
import struct

_WORD, _WORDS = struct.Struct("<I"), struct.Struct("<III")
BUDGET_AT = 8  # bytes behind the gate, in millionths
MILLION = 1_000_000
ON, OFF = 1, 0


class ProbeGate:
    """The gate of one program: opened when it is found closed, and put back; beside it the budget.

    `budget`: part of its CPU time that the program's probes may take, 0 for all details at any cost. The address comes
    from the program: it is written only where a gate (0 or 1) and the sign of a living mapping (1) already stand.
    """

    def __init__(self, pid: int, address: int, budget: float = 0.0) -> None:
        self._memory = f"/proc/{pid}/mem"
        self._address = address
        self._budget = round(budget * MILLION)
        self.changed = False

    def open(self) -> None:
        """Let the program count, within its budget; one that was started for recording counts already."""
        found = self._write(ON, self._budget)
        self.changed = found == OFF

    def put_back(self) -> None:
        """Leave the gate as it was found."""
        self._write(OFF if self.changed else ON, 0)

    def _write(self, gate: int, budget: int) -> int | None:
        """The gate that stood there before; None where none does."""
        if not self._address or self._address % _WORD.size:
            return None
        try:
            fd = os.open(self._memory, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found, ours, _ = _WORDS.unpack(os.pread(fd, _WORDS.size, self._address))
            if found not in (ON, OFF) or ours != 1:
                return None
            os.pwrite(fd, _WORD.pack(budget), self._address + BUDGET_AT)
            if found != gate:
                os.pwrite(fd, _WORD.pack(gate), self._address)
            return int(found)
        except (OSError, struct.error):
            return None
        finally:
            os.close(fd)
