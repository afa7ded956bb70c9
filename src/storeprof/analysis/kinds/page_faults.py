"""page-faults: CPU time in which the kernel hands out pages, new ones (minor faults) or read from disk (major ones).

With kernel frames the share is perf's: samples below the fault's entry. Without them it is the counted minor faults
times what one costs on this machine, and the interval is as wide as that assumption. The wait for a disk is io-wait;
before a fast one the work of asking it can be dearer than the wait.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import ON_CPU, Charges
from storeprof.analysis.accounting.kernel_work import has_kernel_frames, kernel_work
from storeprof.analysis.accounting.parts import split_rows, widened
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, native_remedy, no_looks
from storeprof.analysis.finding import Finding, Where
from storeprof.analysis.gain import impact

Array = np.ndarray[Any, Any]

KIND = "page-faults"
FAULT_ENTRIES = frozenset(
    {
        "asm_exc_page_fault", "exc_page_fault", "do_user_addr_fault", "do_page_fault", "handle_mm_fault",
        "page_fault", "do_translation_fault", "do_mem_abort", "el0_da",
    }
)  # fmt: skip
GIVING_BACK = frozenset(
    {"__x64_sys_munmap", "__do_sys_munmap", "__arm64_sys_munmap", "do_madvise", "shmem_evict_inode", "__do_sys_brk"}
)
# Mapped files cost a third of a fresh page, pages shared with files more than twice (measured: 0.3, 0.9 and 1.8 us).
LEAST, MOST = 0.3, 2.5
TYPICAL_NS = (700, 250, 1500)  # bare metal and virtual machines, where it was not measured


def find(context: Context) -> list[Finding]:
    """One finding, at the function that touches most of the new pages."""
    measured = has_kernel_frames(context)
    faults, from_disk = _faults_by_thread(context), _disk_faults(context) if measured else 0.0
    if faults.sum() + from_disk <= 0:
        return []
    fraction, placed = _sampled(context) if measured else _counted(context, faults)
    weight = context.busy.weight_ns
    if float((weight * fraction).sum()) < context.settings.hotspot_share * float(weight.sum()):
        return []
    split, mask = split_rows(context, fraction)
    share = split.share_of_busy(mask)
    gain = impact(*split_rows(context, _with_giving_back(context, fraction) if measured else fraction))
    if not measured:
        cost, least, most = _cost_ns(context)
        share, gain = widened(share, gain, least / cost, most / cost)
    where = _place(context, placed)
    return [
        Finding(
            kind=KIND,
            where=where,
            share=share,
            share_of="wall",
            wall_share=share,
            impact=gain,
            lines=describe.lines(context.stacks, placed),
            call_paths=describe.call_paths(context.stacks, placed),
            per_operation=context.operations.cost_per_operation(split.seconds(mask), "page fault"),
            effort="local",
            evidence=tuple(_evidence(context, (float(faults.sum()), from_disk), split.seconds(mask), placed, measured)),
            recommendation=_advice(where.function or "the program", from_disk > faults.sum()),
        )
    ]


def _advice(function: str, from_disk: bool) -> str:
    if from_disk:
        return (
            f"keep the pages that {function} reads in memory: a larger cache, mlock, nothing that sends them away "
            "(MADV_DONTNEED, POSIX_FADV_DONTNEED); or read more at once, by MADV_WILLNEED ahead of use or read() of "
            "whole blocks"
        )
    return (
        f"reuse the memory that {function} fills instead of taking fresh memory each time; where the allocator gives "
        "it back, raise M_MMAP_THRESHOLD and M_TRIM_THRESHOLD (MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_), map it "
        "with MAP_POPULATE, or use huge pages"
    )


def _faults_by_thread(context: Context) -> Array:
    """Minor faults of the window per thread index."""
    looks = context.looks
    return np.bincount(looks.thread, weights=looks.faults, minlength=len(looks.thread_ids))


def _with_giving_back(context: Context, fraction: Array) -> Array:
    """Memory that is not taken anew need not be given back either."""
    both: Array = np.minimum(fraction + kernel_work(context, GIVING_BACK).fraction, 1.0)
    return both


def _sampled(context: Context) -> tuple[Array, Charges]:
    """Fraction of each row, and the rows at the faults' places, by perf."""
    work = kernel_work(context, FAULT_ENTRIES)
    return work.fraction, work.placed if len(work.placed.t_ns) else _looks_with_faults(context)


def _disk_faults(context: Context) -> float:
    """Faults of the window that read from disk."""
    rows = context.recording.sql("SELECT coalesce(sum(majflt), 0) AS n FROM thread_time")
    return float(rows["n"][0])


def _counted(context: Context, faults: Array) -> tuple[Array, Charges]:
    """The same by counts: each thread's faults times their cost, of its CPU time."""
    rows = context.busy
    on_cpu = np.isin(rows.category, ON_CPU)
    run = np.bincount(rows.thread[on_cpu], weights=rows.weight_ns[on_cpu], minlength=len(faults))
    part = np.divide(faults * _cost_ns(context)[0], run, out=np.zeros(len(faults)), where=run > 0)
    return np.where(on_cpu, np.minimum(part, 0.95)[rows.thread], 0.0), _looks_with_faults(context)


def _looks_with_faults(context: Context) -> Charges:
    """Rows weighted by the faults since the thread's look before."""
    rows, looks = context.busy, context.looks
    of_looks = np.flatnonzero(np.isin(rows.category, ON_CPU) & (rows.row < len(looks)))
    placed = rows.where(of_looks)
    faults = looks.faults[placed.row].astype(np.float32)
    return replace(placed.where(faults > 0), weight_ns=faults[faults > 0])


def _cost_ns(context: Context) -> tuple[float, float, float]:
    """Cost of one fault and its bounds: this machine's, where it was measured."""
    measured = context.recording.meta["machine"].get("minor_fault_ns")
    if not measured:
        return TYPICAL_NS
    return float(measured), LEAST * measured, MOST * measured


def _place(context: Context, placed: Charges) -> Where:
    operation = context.operations.commonest(placed)
    ranked = describe.functions(context.stacks, placed)
    if not ranked:
        return Where(None, operation=operation)
    return Where(ranked[0].function, ranked[0].file, ranked[0].line, operation)


def _evidence(
    context: Context, counts: tuple[float, float], seconds: float, placed: Charges, measured: bool
) -> list[str]:
    faults, from_disk = sum(counts), counts[1]
    kinds = f"page faults, {from_disk:.0f} of them read from disk" if from_disk > 0.01 * faults else "minor faults"
    rate = faults / context.recording.duration_s
    found = [f"{faults:.0f} {kinds} ({rate:.0f}/s) took {seconds:.2f} s of CPU time"]
    if measured:
        found[0] += f" by perf's kernel frames, {seconds / faults * 1e6:.2f} us each"
        back = context.busy
        given_back = float((back.weight_ns * kernel_work(context, GIVING_BACK).fraction).sum()) / 1e9
        if given_back > 0.01 * seconds:
            found.append(f"giving the memory back took another {given_back:.2f} s, which goes with them")
    else:
        cost, low, high = _cost_ns(context)
        found[0] += f", at {cost / 1e3:.2f} us each ({low / 1e3:.2f} to {high / 1e3:.2f}: counted, not sampled)"
    places = describe.functions(context.stacks, placed)
    named = ", ".join(f"{row.function} ({row.share:.0%})" for row in places[:3] if row.share >= 0.02)
    return [*found, f"the pages were touched in {named or 'code without a stack'}"]


def cover(context: Context) -> Covered:
    """Checked by perf's kernel frames or, more roughly, by counts."""
    if has_kernel_frames(context):
        return no_looks(context, KIND) or Covered(KIND, True, "perf: kernel frames")
    why = "no kernel frames: counted faults times their cost on this machine, a wide interval"
    return no_looks(context, KIND) or Covered(KIND, True, "observer: fault counts", why, native_remedy(context))
