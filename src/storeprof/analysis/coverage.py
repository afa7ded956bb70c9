"""What was looked at and what was not: no clean bill for what nobody checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.charges import CPU, RUN_QUEUE
from storeprof.analysis.context import Context
from storeprof.analysis.finding import KINDS

_LATER = {
    "memory-leak": "growth of memory is recorded and not judged in this version",
    "allocation-churn": "allocations are not sampled in this version",
    "gc-pressure": "garbage collection is counted as CPU time in this version",
    "cache-misses": "hardware counters are not read in this version",
    "page-faults": "minor faults are counted as CPU time in this version; waits for mapped files are io-wait",
    "tail-latency": "percentiles are reported, their causes are not taken apart in this version",
    "growing-cost": "cost against data size is not fitted in this version",
    "chatty-wakeups": "switches are recorded and not judged in this version",
}
_REMEDY = "read the tables of the recording, or use a tool for that kind"
_WAITS = ("lock-contention", "gil-contention", "io-wait", "network-wait", "dependency-wait", "sleep-wait")


@dataclass(frozen=True, slots=True)
class Covered:
    """Whether one kind was checked, by what, or why not and what would help."""

    kind: str
    checked: bool
    by: str | None = None
    reason: str | None = None
    remedy: str | None = None

    def as_document(self) -> dict[str, Any]:
        """As CONTRACT's findings document spells it."""
        return {
            "kind": self.kind, "checked": self.checked, "by": self.by, "reason": self.reason, "remedy": self.remedy,
        }  # fmt: skip


def coverage(context: Context) -> list[Covered]:
    """One row per kind of finding."""
    return [_cover(context, kind) for kind in KINDS]


def placed_share(context: Context, category: int | None = None) -> float | None:
    """Share of busy wall (of one category) that has a place; None when there is nothing to place.

    Waiting for a CPU has its cause without a place.
    """
    rows = context.busy if category is None else context.busy.where(context.busy.category == category)
    total = float(rows.weight_ns.sum())
    placed = (rows.stack >= 0) | (rows.t_ns < _first_stack_ns(context)) | (rows.category == RUN_QUEUE)
    return float(rows.weight_ns[placed].sum()) / total if total > 0 else None


def _first_stack_ns(context: Context) -> int:
    """When the interpreter was up; what came before is its start, and needs no place. 0 without Python stacks."""
    with_stack = context.looks.t_ns[context.looks.stack >= 0]
    return int(with_stack.min()) if len(with_stack) else 0


def _cover(context: Context, kind: str) -> Covered:
    if kind in _LATER:
        return Covered(kind, False, None, _LATER[kind], _REMEDY)
    if len(context.looks) == 0:
        return Covered(kind, False, None, "the observer had no look at the program", "let the program run longer")
    if kind == "cpu-hotspot":
        return _cover_cpu(context)
    if kind == "gil-contention":
        return _cover_gil(context)
    if kind in _WAITS:
        placed = placed_share(context)
        by = "observer" + (" and perf" if len(context.native.switch_t) else "")
        partly = None if placed is None or placed > 0.9 else f"{1 - placed:.0%} of busy wall has no place"
        return Covered(kind, True, by, partly, _native_remedy(context) if partly else None)
    return Covered(kind, True, "observer: schedstat, with throttling and steal")


def _cover_cpu(context: Context) -> Covered:
    placed = placed_share(context, CPU)
    by = "perf" if context.native.native_threads else "observer: Python stacks"
    if placed is None or placed >= 0.9:
        missing = native_reason(context)
        if missing and not context.native.native_threads:
            missing = f"native functions are not told apart within their Python callers: {missing}"
        return Covered("cpu-hotspot", True, by, missing, _native_remedy(context) if missing else None)
    reason = native_reason(context) or "threads ended before anyone looked at them"
    words = f"{1 - placed:.0%} of CPU time has no place: {reason}"
    return Covered("cpu-hotspot", False, None, words, _native_remedy(context))


def _cover_gil(context: Context) -> Covered:
    rows = context.recording.sql("SELECT python, python_why FROM processes")
    if any(not np.ma.is_masked(value) and value for value in rows["python"]):
        return Covered("gil-contention", True, "observer")
    whys = [str(value) for value in rows["python_why"] if not np.ma.is_masked(value) and value]
    return Covered("gil-contention", True, "observer", whys[0] if whys else "no Python in this program")


def native_reason(context: Context) -> str | None:
    """Why perf has no samples; None when it has."""
    if len(context.native.cpu_t):
        return None
    row = _collector(context, "perf")
    return str(row.get("reason") or "perf took no sample") if row else "perf was not asked to run"


def _native_remedy(context: Context) -> str | None:
    row = _collector(context, "perf")
    return str(row["remedy"]) if row and row.get("remedy") else None


def _collector(context: Context, name: str) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = context.recording.meta.get("collectors") or []
    return next((row for row in rows if row.get("name") == name), None)
