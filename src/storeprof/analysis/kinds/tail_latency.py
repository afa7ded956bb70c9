"""tail-latency: P99 far over P50, and one cause makes up most of the gap.

A cause is what ordinary operations hardly do. Time on the CPU inside a function that they spend time in as well is the
same work for a larger request: dear in proportion, and no fault.
"""

from __future__ import annotations

from dataclasses import replace

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import CPU, GC, GIL, IO, LOCK, OTHER, RUN_QUEUE, SLEEP
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered
from storeprof.analysis.finding import BOTTLENECK, HOTSPOT, NOTICE, Finding, Impact
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.tail.budget import TailBudget
from storeprof.analysis.tail.causes import SAME_WORK, Cause, Tail
from storeprof.analysis.verdict import is_long_enough

WORDS = {
    "cpu": "CPU time", "run_queue": "waiting for a CPU", "lock": "waiting for a lock", "gil": "waiting for the GIL",
    "io": "waiting for the disk", "network": "waiting for the network", "dependency": "waiting for other threads",
    "gc": "garbage collection", "page_fault": "page faults from disk", "sleep": "sleeping", "other": "unexplained",
}  # fmt: skip
ADVICE = {
    LOCK: "let {operation} not wait while {other} holds the lock: do the slow part outside it, or swap in a copy",
    IO: "take {where} off the path of {operation}: do it in the background, or in smaller steps more often",
    GC: "make fewer container objects in {operation}, gc.freeze() what stays, or collect at moments of rest",
    GIL: "move {other} to another process, or let it work in short steps: {operation} waits for it",
    RUN_QUEUE: "let {other} leave a CPU to {operation}: fewer threads, or a lower priority for background work",
    SLEEP: "wait in {where} for the event itself instead of sleeping: {operation} stands still meanwhile",
    CPU: "take {where} off the path of {operation}: do it in the background, or a little with every call",
}
OTHER_ADVICE = "find out what {where} waits for in {operation}; meanwhile {other} runs"

SURELY = 0.7  # of the share that makes a cause, as lower bound of its interval


def find(context: Context) -> list[Finding]:
    """One finding per cause: operations with the same one are named together."""
    found: dict[tuple[str | None, str | None], Finding] = {}
    for tail in context.tails:
        cause = tail.causes[0] if tail.causes else None
        if tail.budget is None or cause is None or not _stands_out(context, tail.budget, cause):
            continue
        finding = _finding(context, tail, tail.budget, cause)
        first = found.setdefault((finding.where.function, finding.where.resource), finding)
        if first is not finding:
            kept, other = sorted((first, finding), key=lambda one: -one.wall_share.value)
            also = f"{other.where.operation} has the same cause: {other.evidence[0]}"
            found[kept.where.function, kept.where.resource] = replace(kept, evidence=(*kept.evidence, also))
    return list(found.values())


def _stands_out(context: Context, budget: TailBudget, cause: Cause) -> bool:
    settings = context.settings
    far = budget.p99_s >= settings.tail_ratio * budget.p50_s
    return far and cause.part.category != OTHER and cause.part.share.value >= settings.tail_share


def _severity(context: Context, budget: TailBudget, cause: Cause) -> str:
    if not is_long_enough(context) or _is_same_work(cause):
        return NOTICE
    if cause.part.category == RUN_QUEUE and not context.cpu_bound:
        return NOTICE  # pushed aside by other programs
    if cause.part.category == CPU and cause.ordinary is None:
        return HOTSPOT  # larger requests would look the same
    sure = cause.part.share.low >= SURELY * context.settings.tail_share
    return BOTTLENECK if sure and budget.gap_s >= context.settings.tail_floor_s else HOTSPOT


def _is_same_work(cause: Cause) -> bool:
    return cause.part.category == CPU and cause.ordinary is not None and cause.ordinary >= SAME_WORK


def _finding(context: Context, tail: Tail, budget: TailBudget, cause: Cause) -> Finding:
    rows, busy = cause.everywhere, context.busy
    share = context.blocks.share(
        context.blocks.sums(rows.t_ns, rows.weight_ns), context.blocks.sums(busy.t_ns, busy.weight_ns)
    )
    severity = _severity(context, budget, cause)
    return Finding(
        kind="tail-latency",
        where=cause.part.place,
        share=share,
        share_of="wall",
        wall_share=share,
        impact=Impact(
            Estimate(1.0, 1.0, 1.0) if _is_same_work(cause) else cause.speedup,
            "latency",
            "P99 over P99 without this cause",
        ),
        judged=severity,
        at_most=severity,
        lines=describe.lines(context.stacks, cause.part.rows),
        call_paths=describe.call_paths(context.stacks, cause.part.rows),
        holders=cause.beside.functions,
        effort="local" if cause.part.category == CPU else "module",
        evidence=_evidence(tail, budget, cause),
        recommendation=_recommendation(cause),
    )


def _evidence(tail: Tail, budget: TailBudget, cause: Cause) -> tuple[str, ...]:
    name, part = tail.operation.name, cause.part
    low, high = part.share.as_list()
    lines = [
        f"P99 of {name} is {_time(budget.p99_s)}, {budget.p99_s / budget.p50_s:.0f} times its P50 of "
        f"{_time(budget.p50_s)}; {min(part.share.value, 1.0):.0%} ({low:.0%} to {min(high, 1.0):.0%}) of the gap is "
        f"{WORDS[part.component]} in {part.place.function or 'native code'}"
        + (f" on {part.place.resource}" if part.place.resource else ""),
        f"seen in {len(set(part.rows.op_seq.tolist()))} of {budget.tail.operations} operations around P99 that were "
        f"looked at; ordinary ones spend {_ordinary(cause)} of their time so",
    ]
    if cause.beside.functions and cause.beside.category:
        others = ", ".join(f"{row.function} ({row.share:.0%})" for row in cause.beside.functions[:3])
        lines.append(f"meanwhile in other threads: {others}, mostly {WORDS[cause.beside.category]}")
    shown = [(WORDS[one.part.component], one.part.share.value) for one in tail.causes if one.part.category != OTHER]
    left = 1.0 - sum(share for _, share in shown)
    lines.append(
        f"P99 - P50 of {name}: " + ", ".join(f"{word} {share:.0%}" for word, share in [*shown, ("rest", left)])
    )
    return tuple(lines)


def _ordinary(cause: Cause) -> str:
    return "an unknown part" if cause.ordinary is None else f"{cause.ordinary:.0%}"


def _recommendation(cause: Cause) -> str:
    place = cause.part.place
    if _is_same_work(cause):
        return f"nothing at once: the slow calls of {place.operation} do more of the same work, as larger requests do"
    other = cause.beside.functions[0].function if cause.beside.functions else "another thread"
    advice = ADVICE.get(cause.part.category, OTHER_ADVICE)
    return advice.format(operation=place.operation, where=place.function or "native code", other=other)


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def cover(context: Context) -> Covered:
    """Checked where operations are known and the tail of at least one could be taken apart."""
    kind = "tail-latency"
    untimed = [row for row in context.recording.meta.get("operations_asked") or [] if row["reason"]]
    missing = list(dict.fromkeys(row["reason"] for row in untimed))
    if not context.tails:
        reason = "; ".join(missing) or "no operations are known: the program has no probes, and none were named"
        name_them = "name the function that does one: --operation MODULE.FUNCTION, or put @profile_operation on it"
        return Covered(kind, False, None, reason, untimed[0]["remedy"] if untimed else name_them)
    thin = [(tail.operation.name, tail.thin) for tail in context.tails if tail.thin]
    reasons = [f"{name}: {one.reason}" for name, one in thin[:2]] + missing
    remedy = thin[0][1].remedy if thin else (untimed[0]["remedy"] if untimed else None)
    return Covered(kind, len(thin) < len(context.tails), "probes and observer", "; ".join(reasons) or None, remedy)
