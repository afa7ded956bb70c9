"""What every collector offers: whether it can run here, its tool's command line, a parser of its output."""

import os
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

Options_contra = TypeVar("Options_contra", contravariant=True)
Output_contra = TypeVar("Output_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Context:
    """What a collector must know to say whether it can run.

    `target_pid` is the process to attach to, None for a command that storeprof starts itself. `python` is the
    interpreter of a Python program, None for storeprof's own.
    """

    target_pid: int | None = None
    python: str | None = None
    cpus: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a collector can run here.

    `reason` and `remedy` are one line each: why not (or what is missing when it can run in part) and what
    would help. `abilities` names what it can deliver, in words of the collector's own.
    """

    ok: bool
    reason: str | None = None
    remedy: str | None = None
    abilities: frozenset[str] = frozenset()


class Collector(Protocol[Options_contra, Output_contra, Result_co]):
    """One outside tool. `command` and `parse` are pure, so that recorded outputs are tests of them."""

    name: str

    def available(self, context: Context) -> Availability:
        """Find out, by trying where only trying tells, whether the tool can run here."""
        ...

    def command(self, options: Options_contra) -> list[str]:
        """Build the tool's command line."""
        ...

    def parse(self, output: Output_contra) -> Result_co:
        """Turn the tool's output into tables; raises CollectorError naming the line it can't read."""
        ...
