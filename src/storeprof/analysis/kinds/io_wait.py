"""io-wait: blocked in a system call on a file, or in a page fault that reads from disk; with the calls' CPU time."""

from __future__ import annotations

from storeprof.analysis import describe
from storeprof.analysis.accounting.blocking_calls import cpu_in_calls
from storeprof.analysis.accounting.charges import IO, PAGE_FAULT
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, cover_waits
from storeprof.analysis.finding import Finding
from storeprof.analysis.kinds import waits


def find(context: Context) -> list[Finding]:
    """Functions by the time they wait for the disk."""
    findings = []
    for mask in waits.masks_by_function(context, [IO, PAGE_FAULT]):
        rows = context.busy.where(mask)
        resource = waits.resource_name(context, rows)
        where = waits.place_of(context, rows, resource)
        calls = waits.system_calls(rows)
        what = ", ".join(f"{name} {share:.0%}" for name, share in calls[:3])
        what = what or describe.top_callee(context.stacks, rows) or ""  # imported: names of calls, no numbers
        faults = bool((rows.category == PAGE_FAULT).mean() > 0.5)
        on_cpu = cpu_in_calls(context, mask)
        beside = f", and {context.amount(on_cpu)} of CPU time in the same calls" if on_cpu.any() else ""
        group = waits.Group(
            mask | on_cpu,
            where,
            evidence=(
                f"{context.amount(mask)} blocked in {what or 'file system calls'}"
                + (f" on {resource}" if resource else "")
                + beside,
            ),
            recommendation=(
                f"read ahead (madvise WILLNEED, or plain reads) before {where.function} touches the mapping"
                if faults
                else f"let {where.function or 'the program'} do fewer or larger such calls: group them, or do them in "
                "the background"
            ),
        )
        per_operation = context.operations.cost_per_operation(
            context.seconds(mask | on_cpu), calls[0][0] if calls else None
        )
        findings.append(waits.wait_finding(context, "io-wait", group, per_operation))
    return findings


def cover(context: Context) -> Covered:
    """Whether such waits were looked at."""
    return cover_waits(context, "io-wait")
