"""allocation-churn: a function that burns its CPU time in making, copying and freeing memory that soon dies.

It is a hotspot that says why: its share and gain are those of the function. perf's frames tell the allocator's part;
fresh buffers that are filled faster than any code computes on them need none. Where the hook watched, what the function
allocates must be freed soon: memory that stays is data. Boxed numbers, which Python makes for all arithmetic, do not
count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from storeprof.analysis.accounting.charges import CPU
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, collector_row, native_reason, native_remedy, no_looks
from storeprof.analysis.finding import Finding
from storeprof.analysis.intervals import binomial
from storeprof.analysis.kinds.cpu_hotspot import hot_functions, hotspot
from storeprof.analysis.kinds.memory_leak import HOOK
from storeprof.analysis.memory.allocation_work import AllocationWork, allocation_samples
from storeprof.analysis.memory.thrown_away import ThrownAway, thrown_away

KIND = "allocation-churn"
FEWEST = 10  # samples of a function, or sampled allocations of it
MOSTLY = 0.35  # of a function's samples; the rest fills what was allocated, or interprets
AT_LEAST = 0.25  # as lower end of the interval: looks at Python functions have few samples beside them
COPIED_PER_S = 4e9  # fresh bytes per second of the function's CPU time
LARGE_BYTES = 4096.0
PIECE_NS = 25.0  # to make and free a small list or tuple in CPython, where the machine's own figure is not known
OF_ALL = 1.2  # what the average object takes of that: bytes take two to three times as long, small numbers half
BOXED_BYTES = 44.0  # a small Python number takes 24 to 40
SOON_S = 1.0
ADVICE_LARGE = "fill a buffer in place (bytearray, a ring, reserve) instead of copying it into a new one each time"
ADVICE_SMALL = (
    "reuse objects and buffers, pass views (memoryview, std::string_view, spans), or allocate many at once (an arena)"
)
STAYS = 0.2


@dataclass(frozen=True)
class Made:
    """What a function allocated: bytes, pieces and their rates per second of its CPU time, and how soon it died."""

    count: float
    bytes: float
    cpu_s: float
    median_life_s: float
    kept: float
    piece_s: float  # what making and freeing one takes at least

    @property
    def mean_bytes(self) -> float:
        """Size of a piece."""
        return self.bytes / max(self.count, 1.0)

    @property
    def least_part(self) -> float:
        """Part of the function's CPU time that so many pieces must have taken."""
        return min(1.0, self.count * self.piece_s / self.cpu_s)

    @property
    def fills_fresh(self) -> bool:
        """Whether it fills large fresh buffers faster than any code computes."""
        return self.mean_bytes >= LARGE_BYTES and self.bytes / self.cpu_s >= COPIED_PER_S

    @property
    def dies_soon(self) -> bool:
        """Whether hardly anything of it stays."""
        return self.median_life_s < SOON_S and self.kept < STAYS


def find(context: Context) -> list[Finding]:
    """Functions of at least a hotspot's share of CPU time that mostly allocate and free."""
    hot = [(key, mask) for key, mask in hot_functions(context) if not context.stacks.functions[key].library]
    if not hot:
        return []
    samples = allocation_samples(context)
    found: dict[int, Finding] = {}
    callers: set[int] = set()
    for key, mask in hot:
        function = context.stacks.functions[key]
        work, made = samples.of(key), _made(context, key, context.seconds(mask))
        large = context.share_of_cpu(mask).value >= context.settings.hotspot_share
        if large and is_churn(work, made, function.kind == "python"):
            thrown = thrown_away(context, key, mask)
            whole = mask if thrown is None else mask | thrown.rows
            named = hotspot(context, key, whole)
            if function.kind == "python" and named.where.function != function.name and not (made and made.fills_fresh):
                continue  # nearly all of it in a library: its small objects are the result of work, as of parsing
            found[key] = _finding(named, function.name, work, made)
            if thrown is not None:
                found[key] = _with_caller(context, found[key], thrown)
                callers.add(thrown.caller)
    return [finding for key, finding in found.items() if key not in callers]


def _with_caller(context: Context, finding: Finding, thrown: ThrownAway) -> Finding:
    caller = context.stacks.functions[thrown.caller].name
    seen = f"{context.share_of_cpu(thrown.rows).value:.0%} of the CPU time, counted here, is {caller} freeing it"
    return replace(finding, also_in=(caller,), evidence=(*finding.evidence, seen))


def _made(context: Context, key: int, cpu_s: float) -> Made | None:
    """What the hook saw of a function's allocations; None where that is too little."""
    rows = context.allocations
    mine = rows.where(rows.place == key)
    if len(mine) < FEWEST or cpu_s <= 0:
        return None
    whole = float(mine.weight_bytes.sum())
    pieces = float((mine.weight_bytes / np.maximum(mine.bytes, 1)).sum())
    kept = float(mine.weight_bytes[np.isinf(mine.died)].sum()) / whole
    piece_ns = OF_ALL * float(context.recording.meta["machine"].get("small_object_ns") or PIECE_NS)
    return Made(pieces, whole, cpu_s, float(np.median(mine.died - mine.born)), kept, piece_ns / 1e9)


def is_churn(work: AllocationWork, made: Made | None, is_python: bool) -> bool:
    """Whether a function mostly makes and frees memory, by samples or, where these are few, by them and what it made.

    Few of perf's samples fall beside looks at a Python function; so many objects as the hook counted take a known time.
    """
    if made is not None and not made.dies_soon:
        return False
    if made is not None and made.fills_fresh:
        return True
    counted = made.least_part if made is not None else 0.0
    if work.samples < FEWEST or work.allocating < (AT_LEAST if counted >= AT_LEAST else MOSTLY):
        return False
    if max(counted, float(binomial(np.array([work.allocating]), work.samples)[0][0])) < AT_LEAST:
        return False
    return not is_python or (made is not None and made.mean_bytes >= BOXED_BYTES)


def _finding(hot: Finding, name: str, work: AllocationWork, made: Made | None) -> Finding:
    evidence = [hot.evidence[0]]
    if work.samples >= FEWEST:
        evidence.append(
            f"{work.allocating:.0%} of its CPU time is in the allocator and {work.copying:.0%} copies memory "
            f"({work.samples} samples)"
        )
    if made is not None:
        evidence.append(
            f"it allocates {made.count / made.cpu_s / 1e6:.2g} million pieces and "
            f"{made.bytes / made.cpu_s / 1e6:,.0f} MB per second of its CPU time, {made.mean_bytes:,.0f} bytes each; "
            f"half of them live under {_time(made.median_life_s)}"
        )
    how = ADVICE_LARGE if made is not None and made.mean_bytes >= LARGE_BYTES else ADVICE_SMALL
    return replace(
        hot,
        kind=KIND,
        where=replace(hot.where, function=name),
        evidence=tuple(evidence),
        recommendation=f"let {name} make less that is thrown away: {how}",
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{max(seconds * 1e6, 1):.0f} us"


def cover(context: Context) -> Covered:
    """Checked by perf's native frames, by the allocation hook, or by both."""
    missing = native_reason(context)
    frames, hook = len(context.native.cpu_t) > 0, len(context.allocations) > 0
    if not np.any(context.busy.category == CPU):
        return no_looks(context, KIND) or Covered(KIND, True, "observer")
    if frames and hook:
        return no_looks(context, KIND) or Covered(KIND, True, "perf, allocation hook")
    if hook:
        why = f"only fresh large buffers can be told: {missing}" if missing else None
        return no_looks(context, KIND) or Covered(KIND, True, "allocation hook", why, native_remedy(context))
    row = collector_row(context, HOOK) or {}
    reason = row.get("reason") or "the allocation hook did not run"
    if frames:
        words = f"what Python functions allocate is not told apart: {reason}"
        return no_looks(context, KIND) or Covered(KIND, True, "perf", words, row.get("remedy"))
    return Covered(KIND, False, None, f"{missing}; {reason}", native_remedy(context))
