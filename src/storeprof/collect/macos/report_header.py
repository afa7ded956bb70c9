"""The head that sample, heap, vmmap, leaks and malloc_history share: which process, which system, how much memory.

    Process:         rg [64751]
    Path:            /usr/local/bin/rg
    Code Type:       X86-64
    OS Version:      Mac OS X 10.14.5 (18F203)
    Report Version:  7
    Analysis Tool:   /usr/bin/sample

    Physical footprint:         227.5M
    Physical footprint (peak):  227.5M
    ----

Which keys there are depends on the version; the footprint came with 10.13 and is missing where it could not be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from storeprof.collect.tool_output import Lines, size_bytes

_KEY: Final = re.compile(r"(?P<key>[A-Z][A-Za-z/ ]*(?: \(peak\))?):\s*(?P<value>.*)$")
_NAME: Final = re.compile(r"(?P<name>.*?)\s*\[(?P<pid>\d{1,10})\]")


@dataclass(slots=True)
class ReportHeader:
    """What the head says; `values` has every line of it by its key, figures are None where it does not say."""

    values: dict[str, str] = field(default_factory=dict)

    def feed(self, line: str, lines: Lines) -> bool:
        """Take a line when it belongs to a head; UnreadableLine for a footprint that is no size."""
        found = _KEY.match(line)
        if found is None or found["key"] not in _KEYS:
            return False
        self.values.setdefault(found["key"], found["value"].strip())
        if found["key"].startswith("Physical footprint") and size_bytes(found["value"]) is None:
            raise lines.wrong("no size", line)
        return True

    @property
    def name(self) -> str | None:
        """Name of the process."""
        found = _NAME.match(self.values.get("Process", ""))
        return found["name"] or None if found else self.values.get("Process")

    @property
    def pid(self) -> int | None:
        """Its number."""
        found = _NAME.match(self.values.get("Process", ""))
        value = int(found["pid"]) if found else None
        return value if value is None or value < 1 << 31 else None

    @property
    def path(self) -> str | None:
        """Its executable."""
        return self.values.get("Path")

    @property
    def footprint_bytes(self) -> int | None:
        """Physical footprint: what the process costs the system, compressed and swapped memory included."""
        return size_bytes(self.values.get("Physical footprint", ""))

    @property
    def peak_bytes(self) -> int | None:
        """The highest physical footprint so far."""
        return size_bytes(self.values.get("Physical footprint (peak)", ""))


_KEYS: Final = frozenset(
    {
        "Process", "Path", "Load Address", "Identifier", "Version", "Build Info", "Code Type", "Platform",
        "Target Type", "Parent Process", "Responsible", "Date/Time", "Launch Time", "End time", "OS Version",
        "Report Version", "Analysis Tool", "Analysis Tool Version", "Physical footprint", "Physical footprint (peak)",
        "Idle exit", "App Item ID", "App External ID", "Team ID", "Roots installed",
    }
)  # fmt: skip
