"""Findings with one cause become one; the others are its evidence.

One cost shows itself in several ways: a slow consumer is a hotspot in its thread and a wait in the producer's; garbage
collection stands inside the function that allocates. Two findings have one cause when they name one place: the same
function or resource, or one names what the other side does, and that is where the other finding lies.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from storeprof.analysis.finding import BOTTLENECK, NOTICE, Finding
from storeprof.analysis.settings import Settings

# Of two findings at one place the kind that says more survives: why it is slow, not only that it is.
SAYS_MORE = (
    "memory-leak", "growing-cost", "chatty-wakeups", "gc-pressure", "page-faults", "lock-contention", "dependency-wait",
    "allocation-churn", "cache-misses", "gil-contention", "network-wait", "io-wait", "sleep-wait", "tail-latency",
    "cpu-hotspot", "cpu-starvation",
)  # fmt: skip
WAITS_FOR_WORK = frozenset({"lock-contention", "dependency-wait"})
ALONE = frozenset({"memory-leak", "cpu-starvation"})  # costs of another currency: time and place say nothing of them
MOSTLY = 0.5
STANDS_FOR = 0.65  # of the other's size: what explains half of a cost is not what to mend first
# A thread that is always waited for has as much CPU time of its own besides: of two threads' time the wait is a half.
WAIT_STANDS_FOR = 0.5


def merge_causes(findings: list[Finding], settings: Settings) -> list[Finding]:
    """The findings, each cause once; order is kept, and what was merged is told in the survivor's evidence.

    Of a tail and a cost of the run the one survives that is large: over the bottleneck's share of busy wall it is the
    cost, else the tail.
    """
    survivors: list[Finding] = []
    for finding in sorted(findings, key=_strength):
        same = [one for one in survivors if _have_one_cause(one, finding)]
        if not same:
            survivors.append(finding)
        elif _is_told_by_its_tail(same[0], finding, settings):
            small = [one for one in same if _is_told_by_its_tail(one, finding, settings)]
            survivors = [one for one in survivors if one not in small]
            survivors.append(reduce(_with_evidence, small, finding))
        else:
            survivors[survivors.index(same[0])] = _with_evidence(same[0], finding)
    order: dict[str, int] = {}
    for position, finding in enumerate(findings):
        order.setdefault(finding.identifier, position)  # the same place in two operations has one identifier
    return sorted(survivors, key=lambda one: order[one.identifier])


def _is_told_by_its_tail(survivor: Finding, tail: Finding, settings: Settings) -> bool:
    return (
        tail.kind == "tail-latency"
        and tail.severity != NOTICE
        and survivor.severity != BOTTLENECK
        and survivor.wall_share.value < settings.bottleneck_share
    )


def _strength(finding: Finding) -> tuple[bool, bool, int]:
    """Sort key of who survives: bottlenecks, then a cost of the run before one of its tail, then what says more."""
    return (
        finding.severity != BOTTLENECK,
        finding.kind == "tail-latency",
        SAYS_MORE.index(finding.kind),
    )


def _have_one_cause(survivor: Finding, other: Finding) -> bool:
    if survivor.kind == other.kind or survivor.kind in ALONE or other.kind in ALONE:
        return False
    with_tail = "tail-latency" in (survivor.kind, other.kind)
    if with_tail and survivor.where.resource == other.where.resource == "GIL":
        return True
    if not (_places(survivor) & _places(other) or _is_held_up_by(survivor, other)):
        return False
    return with_tail or _is_most_of(survivor, other)


def _is_most_of(survivor: Finding, other: Finding) -> bool:
    """Whether the survivor is large enough to stand for the other, which else is a cost of its own."""
    waits = survivor.kind in WAITS_FOR_WORK and other.kind in ("cpu-hotspot", "allocation-churn")
    return survivor.wall_share.value >= (WAIT_STANDS_FOR if waits else STANDS_FOR) * other.wall_share.value


def _is_held_up_by(wait: Finding, work: Finding) -> bool:
    """Whether the other side of a wait mostly does this work, in all the functions that it is in."""
    its = {work.where.function, *work.also_in} - {None}
    return bool(work.also_in) and sum(row.share for row in wait.holders if row.function in its) >= MOSTLY


def _places(finding: Finding) -> set[str]:
    where = finding.where
    named = {where.function.split(" > ")[0]} if where.function else set()
    named |= set(finding.also_in)
    named |= {where.resource} if where.resource and where.resource != "GIL" else set()
    return named | {row.function for row in finding.holders if row.function and row.share >= MOSTLY}


def _with_evidence(survivor: Finding, other: Finding) -> Finding:
    seen = f"the same cause shows as {other.kind}: {other.evidence[0] if other.evidence else other.where.function}"
    return replace(survivor, evidence=(*survivor.evidence, seen))
