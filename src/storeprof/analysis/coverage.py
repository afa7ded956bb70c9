"""What was looked at and what was not: no clean bill for what nobody checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from storeprof.analysis.context import Context
from storeprof.analysis.processes import not_observed_cpu_s

WORTH_A_WORD = 0.01


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


def placed_share(context: Context, category: int | None = None) -> float | None:
    """Share of busy wall (of one category) that has a place; None when there is nothing to place.

    Waiting for a CPU has its cause without a place.
    """
    whole, placed = context.by_category, context.placed_by_category
    if category is not None:
        whole, placed = whole[category], placed[category]
    total = float(whole.sum())
    return float(placed.sum()) / total if total > 0 else None


def unseen_share(context: Context) -> float:
    """Share of the program's time that was CPU time of children nobody looked at."""
    unseen = not_observed_cpu_s(context.recording)
    return unseen / (float(context.by_category.sum()) + unseen) if unseen > 0 else 0.0


def unplaced_share(context: Context) -> float | None:
    """Share of the program's time without a place, what nobody looked at included; None when there is no time."""
    placed = placed_share(context)
    return None if placed is None else 1 - placed * (1 - unseen_share(context))


def with_children(context: Context, row: Covered) -> Covered:
    """The row of a kind, with what it can't say of children that nobody looked at."""
    processes = context.recording.meta.get("processes") or {}
    unseen, whole = not_observed_cpu_s(context.recording), processes.get("cpu_s") or 0.0
    if not row.checked or row.reason or unseen < WORTH_A_WORD * whole or unseen == 0:
        return row
    missing = max(0, processes["seen"] - processes["observed"])
    too_many = f", or too many; {missing} of those seen were not looked at" if missing else ""
    why = processes.get("reason") or f"too short-lived{too_many}"
    reason = f"{unseen:.2f} s of CPU time ({unseen / whole:.0%}) was that of children nobody looked at ({why})"
    return replace(row, reason=reason, remedy=row.remedy or "record one such child by itself")


def no_looks(context: Context, kind: str) -> Covered | None:
    """The row of a kind when the observer saw nothing of the program; None when it did."""
    if len(context.looks):
        return None
    return Covered(kind, False, None, "the observer had no look at the program", "let the program run longer")


def cover_waits(context: Context, kind: str) -> Covered:
    """The row of a kind that is a wait: told from looks, its place from their stacks or perf's."""
    observer = collector_row(context, "observer") or {}
    if observer.get("reason"):  # system calls are then hidden as well: a wait is known, its reason is not
        return Covered(kind, False, None, f"waits can't be told apart: {observer['reason']}", observer.get("remedy"))
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


def cut_stacks(context: Context) -> tuple[str, str] | None:
    """A word on native stacks that do not reach their thread's start, when those are many, and what would help."""
    row = collector_row(context, "perf") or {}
    broken = row.get("broken_stacks") or 0.0
    if broken <= context.settings.unplaced_share:
        return None
    if row.get("call_graph") == "fp":
        return f"{broken:.0%} of the native stacks are cut short", "record with --call-graph dwarf"
    remedy = "keep frame pointers (-fno-omit-frame-pointer) in program and libraries, and record with --call-graph fp"
    return (
        f"{broken:.0%} of the native stacks are cut short: deeper than the copy of the stack, or no unwind tables",
        remedy,
    )


def collector_row(context: Context, name: str) -> dict[str, Any] | None:
    """What recording.json says of a collector."""
    rows: list[dict[str, Any]] = context.recording.meta.get("collectors") or []
    return next((row for row in rows if row.get("name") == name), None)


@dataclass(frozen=True, slots=True)
class UnreadPython:
    """A Python whose stacks the observer could not read: whether py-spy stood in, else why not and what would help."""

    spied: bool
    reason: str
    remedy: str | None


def unread_python(context: Context) -> UnreadPython | None:
    """None when the observer read the program's Python, or there was none."""
    sampler = (context.recording.meta.get("observer") or {}).get("sampler") or {}
    python = sampler.get("python") or {}
    if python.get("status") != "refused":
        return None
    row = collector_row(context, "py-spy") or collector_row(context, "observer") or {}
    return UnreadPython(
        row.get("name") == "py-spy" and bool(row["ran"]), str(row.get("reason") or python.get("why")), row.get("remedy")
    )
