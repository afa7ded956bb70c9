"""What `storeprof doctor` finds out: each collector tried where only trying tells, and the builds of programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storeprof.collect.collector import Availability, Context
from storeprof.collect.linux.build_facts import build_facts
from storeprof.collect.pass_tool import GROUPS
from storeprof.collect.python_command import python_command
from storeprof.collect.registry import Registered, registered, this_system
from storeprof.errors import StoreprofError
from storeprof.recording.environment import describe_machine

SCHEMA = 1


def examine(programs: Sequence[Path]) -> dict[str, Any]:
    """The doctor's document: `machine`, `collectors`, `builds` (docs/formats/doctor.md)."""
    return {
        "schema": SCHEMA,
        "system": this_system(),
        "machine": describe_machine(),
        "groups": dict(GROUPS),
        "collectors": [_collector(one) for one in registered()],
        "builds": [_build(program) for program in programs],
    }


def _collector(one: Registered) -> dict[str, Any]:
    found = _available(one)
    return {
        "name": one.collector.name,
        "system": one.system,
        "collects": [group for group in GROUPS if group in one.groups],
        "when": one.when,
        "available": found.ok,
        "abilities": sorted(found.abilities),
        "reason": found.reason,
        "remedy": found.remedy,
        "adds": one.adds,
        "costs": one.costs,
    }


def _available(one: Registered) -> Availability:
    if one.system == "linux" and this_system() != "linux":
        return Availability(
            False, "it is a tool of Linux", "run it there, and read its output here: storeprof import FILE --out DIR"
        )
    try:
        return one.collector.available(Context())
    except (StoreprofError, OSError) as error:
        return Availability(False, f"it can't be tried: {error}", None)


def _build(program: Path) -> dict[str, Any]:
    facts = build_facts(program.resolve())
    python = python_command((str(program.resolve()),)) is not None or program.name.startswith("python")
    if facts is None or python:
        why = "an interpreter: its own build says nothing of the program" if python else "no 64-bit ELF binary"
        return {"program": str(program), "known": False, "why": why, "facts": None, "warnings": []}
    return {
        "program": str(program),
        "known": True,
        "why": None,
        "facts": {
            "symbols": facts.symbols, "debug_information": facts.debug_information, "optimized": facts.optimized,
            "frame_pointers": facts.frame_pointers, "sanitizer": facts.sanitizer, "gprof": facts.gprof,
        },
        "warnings": [{"what": what, "remedy": remedy} for what, remedy in facts.warnings()],
    }  # fmt: skip
