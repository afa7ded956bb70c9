"""A small vocabulary for tests about comparisons: sides with figures and costs, without recording anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storeprof.compare.measured import Cost, Measured, Run
from storeprof.compare.metrics import Key

MACHINE = {"cpu": "Test CPU", "kernel": "6.1", "cpus_usable": 2, "memory_bytes": 8e9, "system": "Linux", "boot_id": "x"}


def cost(category: str, function: str | None, seconds: float, resource: str | None = None) -> Cost:
    """A cost of one place."""
    return Cost(category, function, "engine.py" if function else None, 1, resource, seconds)


def side(
    name: str,
    runs: Sequence[dict[Key, float]],
    costs: Sequence[Cost] = (),
    findings: Sequence[dict[str, Any]] = (),
    start: int = 0,
    **about: Any,
) -> Measured:
    """One side; its runs start one after the other from `start`."""
    return Measured(
        name,
        {"command": ["./engine"], "machine": MACHINE, "python": [], "exit_statuses": [0], **about},
        tuple(Run(values, start + at, start + at + 1) for at, values in enumerate(runs)),
        tuple(costs),
        tuple(findings),
    )
