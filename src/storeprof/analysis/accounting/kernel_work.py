"""How much of the threads' CPU time is kernel work of one kind, by perf's kernel frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import ON_CPU, Charges
from storeprof.analysis.accounting.native_places import close_pairs
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import collector_row
from storeprof.analysis.intervals import BLOCK_NS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class KernelWork:
    """`fraction`: of each row of busy wall, what is this work (0 to 1). `placed`: rows that stand at its places."""

    fraction: Array
    placed: Charges


def has_kernel_frames(context: Context) -> bool:
    """Whether perf was permitted to record kernel frames."""
    row = collector_row(context, "perf") or {}
    return bool(row.get("ran")) and "kernel" in row.get("abilities", ()) and len(context.native.cpu_t) > 0


def kernel_work(context: Context, entries: frozenset[str]) -> KernelWork:
    """The work below these kernel functions.

    A native thread's rows are perf's samples themselves. Of a Python thread's rows each gets the share that the work
    has among perf's samples of the thread in the same 250 ms; its places are those of the looks beside its samples.
    """
    rows, native = context.busy, context.native
    hit = _stands_below(context, entries, native.cpu_stack)
    on_cpu = np.isin(rows.category, ON_CPU)
    sampled = native.is_native[rows.thread] & on_cpu
    fraction = np.where(sampled & _stands_below(context, entries, rows.stack), 1.0, 0.0)
    for thread in np.unique(native.cpu_thread[~native.is_native[native.cpu_thread]]).tolist():
        mine = np.flatnonzero(on_cpu & (rows.thread == thread))
        if len(mine) == 0:  # a thread whose CPU time the kernel did not count in the window
            continue
        samples = native.cpu_thread == thread
        fraction[mine] = _share_beside(rows.t_ns[mine], native.cpu_t[samples], hit[samples])
    looks, samples = close_pairs(context.looks, native)
    looked_at = np.zeros(len(rows.seen.t_ns), dtype=bool)
    looked_at[looks[hit[samples]]] = True
    return KernelWork(fraction, rows.where(np.where(sampled, fraction > 0, on_cpu & looked_at[rows.row])))


def _stands_below(context: Context, entries: frozenset[str], stack: Array) -> Array:
    """Whether each stack has one of these kernel functions."""
    found = np.zeros(len(stack), dtype=bool)
    for key, one in enumerate(context.stacks.functions):
        if one.kind == "kernel" and one.name in entries:
            found |= context.stacks.having(key, stack)
    return found


def _share_beside(times: Array, sampled: Array, hit: Array) -> Array:
    """For each time the share of hits among the samples of its 250 ms; the thread's where there is no sample."""
    origin = min(int(times.min()), int(sampled.min()))
    blocks = int((max(times.max(), sampled.max()) - origin) // BLOCK_NS) + 1
    block = (sampled - origin) // BLOCK_NS
    of_block = np.bincount(block, minlength=blocks).astype(np.float64)
    hits = np.bincount(block, weights=hit, minlength=blocks)
    share: Array = np.divide(hits, of_block, out=np.full(blocks, float(hit.mean())), where=of_block > 0)
    found: Array = share[(times - origin) // BLOCK_NS]
    return found
