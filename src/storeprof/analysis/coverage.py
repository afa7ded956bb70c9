"""What was looked at and what was not: no clean bill for what nobody checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from storeprof.analysis.charges import RUN_QUEUE
from storeprof.analysis.context import Context

_LATER = {
    "memory-leak": "growth of memory is recorded and not judged in this version",
    "allocation-churn": "allocations are not sampled in this version",
    "gc-pressure": "garbage collection is counted as CPU time in this version",
    "cache-misses": "hardware counters are not read in this version",
    "page-faults": "minor faults are counted as CPU time in this version; waits for mapped files are io-wait",
    "growing-cost": "cost against data size is not fitted in this version",
    "chatty-wakeups": "switches are recorded and not judged in this version",
}
_REMEDY = "read the tables of the recording, or use a tool for that kind"


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


def not_yet(kinds: set[str]) -> list[Covered]:
    """Rows of the kinds that have no module among `kinds`."""
    return [Covered(kind, False, None, reason, _REMEDY) for kind, reason in _LATER.items() if kind not in kinds]


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


def no_looks(context: Context, kind: str) -> Covered | None:
    """The row of a kind when the observer saw nothing of the program; None when it did."""
    if len(context.looks):
        return None
    return Covered(kind, False, None, "the observer had no look at the program", "let the program run longer")


def cover_waits(context: Context, kind: str) -> Covered:
    """The row of a kind that is a wait: told from looks, its place from their stacks or perf's."""
    placed = placed_share(context)
    by = "observer" + (" and perf" if len(context.native.switch_t) else "")
    partly = None if placed is None or placed > 0.9 else f"{1 - placed:.0%} of busy wall has no place"
    return no_looks(context, kind) or Covered(kind, True, by, partly, native_remedy(context) if partly else None)


def native_reason(context: Context) -> str | None:
    """Why perf has no samples; None when it has."""
    if len(context.native.cpu_t):
        return None
    row = collector_row(context, "perf")
    return str(row.get("reason") or "perf took no sample") if row else "perf was not asked to run"


def native_remedy(context: Context) -> str | None:
    """What would help to get native stacks."""
    row = collector_row(context, "perf")
    return str(row["remedy"]) if row and row.get("remedy") else None


def collector_row(context: Context, name: str) -> dict[str, Any] | None:
    """What recording.json says of a collector."""
    rows: list[dict[str, Any]] = context.recording.meta.get("collectors") or []
    return next((row for row in rows if row.get("name") == name), None)
