"""Severity of each finding and the verdict over all, by the rules of CONTRACT."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, unplaced_share, unseen_share
from storeprof.analysis.event_loop import undecided_event_loop
from storeprof.analysis.finding import BOTTLENECK, HOTSPOT, NOTICE, Finding
from storeprof.analysis.imported.coverage import why_nothing_to_judge
from storeprof.analysis.intervals import BLOCK_NS, FEWEST_BLOCKS, Estimate
from storeprof.analysis.settings import Settings
from storeprof.analysis.target import NOTHING_NEEDED

FEWEST_LOOKS = 200
SHORTEST_S = FEWEST_BLOCKS * BLOCK_NS / 1e9
MARGIN = 1.5
PLAINLY = 1.25
CROWDED = 0.5
NOISY = 0.7  # of busy wall waiting for CPUs that others had: three tenths of the run are left to judge by
ABOVE_ALL = 1e6
STRETCHED = frozenset({"lock-contention", "gil-contention", "dependency-wait", "network-wait", "cpu-starvation"})
_RANK = {NOTICE: 0, HOTSPOT: 1, BOTTLENECK: 2}


@dataclass(frozen=True)
class Verdict:
    """`bottleneck`, `no-bottleneck` or `inconclusive`, and one sentence a person can act on."""

    verdict: str
    summary: str


def is_long_enough(context: Context) -> bool:
    """Whether there is enough data for an interval to mean anything."""
    return _sightings(context) >= FEWEST_LOOKS and context.blocks.enough


def _sightings(context: Context) -> int:
    """Looks, and perf's samples of threads whose time on the CPU is told from those."""
    native = context.native
    return len(context.looks) + int(np.isin(native.cpu_thread, list(native.native_threads)).sum())


def with_severity(
    finding: Finding, settings: Settings, long_enough: bool = True, seen: float = 1.0, own: float = 1.0
) -> Finding:
    """The finding with its severity: by the lower bounds of its share of busy wall and of its gain.

    Nothing is more than a notice in a run that is too short for intervals. `seen`: part of the program's time that was
    looked at, of which the finding has its share. `own`: part of busy wall in which no other program had the CPUs; a
    cost is judged by its share of that, as it would be where the program is alone, and with a margin. Waits for the
    program's own threads get longer as these queue, so their shares stay.
    """
    if finding.judged is not None:
        return replace(finding, severity=finding.judged)
    if own < 1.0 and finding.kind not in STRETCHED:
        share = finding.wall_share
        alone = Estimate(*(min(1.0, part / own) for part in (share.value, share.low, share.high)))
        finding = replace(finding, undisturbed=alone)
    low = finding.own_share.low * seen
    gain = not finding.needs_gain or finding.impact.speedup.low >= settings.bottleneck_speedup
    if low >= settings.bottleneck_share * finding.doubt and gain:
        severity = BOTTLENECK
    elif low >= settings.hotspot_share:
        severity = HOTSPOT
    else:
        severity = NOTICE
    severity = min(severity, finding.at_most, severity if long_enough else NOTICE, key=lambda one: _RANK[one])
    return replace(finding, severity=severity)


def rank(findings: list[Finding]) -> list[Finding]:
    """Bottlenecks first, then the largest gain, the larger share where gains are equal.

    A cost whose removal gains nothing by itself stands where its share would put it, what other programs do to this
    one last; threads that take the CPUs from each other for most of their time stand above what they burn them with.
    A leak, which ends the program, is first.
    A tail stands at its share too: gains in latency and in throughput do not compare.
    """

    def weight(one: Finding) -> float:
        crowded = one.kind == "cpu-starvation" and one.wall_share.low >= CROWDED and one.at_most == BOTTLENECK
        if crowded or (one.kind == "memory-leak" and one.severity == BOTTLENECK):
            return ABOVE_ALL
        gains = (one.needs_gain and one.kind != "tail-latency") or one.at_most == NOTICE
        return one.impact.speedup.value if gains else 1.0 / max(1.0 - one.wall_share.value, 0.001)

    return sorted(findings, key=lambda one: (one.severity != BOTTLENECK, -round(weight(one), 2), -one.wall_share.value))


def judge(context: Context, findings: list[Finding], coverage: list[Covered]) -> Verdict:
    """The verdict over ranked findings."""
    worst = next((one for one in findings if one.severity == BOTTLENECK), None)
    if worst:
        return Verdict("bottleneck", _sentence(worst))
    doubt = (
        why_nothing_to_judge(context)
        or _doubt(context, coverage)
        or _noise(findings)
        or undecided_event_loop(context)
        or undecided(findings, context.settings, context.recording.duration_s, _ended(context))
    )
    if doubt:
        return Verdict("inconclusive", doubt)
    return Verdict("no-bottleneck", NOTHING_NEEDED + _why_nothing(findings, context.settings))


def _why_nothing(findings: list[Finding], settings: Settings) -> str:
    limit = f"{settings.bottleneck_share:.0%} of the program's time"
    sized = [one for one in findings if one.at_most != NOTICE]
    if not sized:
        return f"no single cost reaches {limit}"
    largest = max(sized, key=lambda one: one.own_share.value)
    share = largest.own_share.value
    if share < settings.bottleneck_share:
        return f"no single cost reaches {limit} (the largest has {share:.0%})"
    return (
        f"no single cost is surely over {limit} and worth removing (the largest has {share:.0%}; without it "
        f"{largest.impact.basis} would be {largest.impact.speedup.value:.2f} times as good)"
    )


def _sentence(finding: Finding) -> str:
    place = finding.where.function or finding.where.resource or "native code without symbols"
    at = f" ({finding.where.file}:{finding.where.line})" if finding.where.file and finding.where.line else ""
    worth = ""
    if finding.needs_gain:
        what = "throughput" if finding.impact.basis == "throughput" else finding.impact.basis
        worth = f"; without it {what} could be {finding.impact.speedup.value:.2f} times as good"
    return f"{finding.kind} at {place}{at}: {_size(finding)}{worth}; {finding.recommendation}"


def _size(finding: Finding) -> str:
    if finding.share is None:
        return f"{finding.rate.value / 1e6:.2f} MB/s" if finding.rate else "size unknown"
    if finding.share_of == "cpu":
        return f"{finding.share.value:.0%} of CPU time"
    left, whole = finding.own_share.value, finding.share.value
    of_rest = f", {left:.0%} of what other programs left of it" if left > 1.1 * whole else ""
    return f"{whole:.0%} of busy wall time{of_rest}"


def _noise(findings: list[Finding]) -> str | None:
    """Whether other programs took so much of the CPUs that the rest says little."""
    pushed = next((one for one in findings if one.kind == "cpu-starvation"), None)
    if pushed is None or pushed.wall_share.low < NOISY:
        return None
    return (
        f"too noisy to judge: {pushed.wall_share.value:.0%} of busy wall was waiting for a CPU; {pushed.recommendation}"
    )


def enough_seconds(looks: int, seconds: float) -> int:
    """How long to record for enough looks and blocks, with a margin, at the rate of looks that was seen."""
    needed = FEWEST_LOOKS * seconds / looks if looks else 10.0
    return math.ceil(MARGIN * max(needed, SHORTEST_S))


def _ended(context: Context) -> bool:
    """Whether the program came to its own end: a longer recording of the same would be none."""
    meta = context.recording.meta
    return meta.get("ended_by") == "exit" and not meta.get("engine")


def undecided(findings: list[Finding], settings: Settings, seconds: float, ended: bool = False) -> str | None:
    """Whether a cost is plainly over the threshold and its interval is not, because the run is too short for it.

    How long would be enough follows from the interval: its width (on the logit scale) shrinks with the root of time.
    """
    for one in findings:
        limit, share = settings.bottleneck_share * one.doubt, one.own_share
        gains = not one.needs_gain or one.impact.speedup.value >= settings.bottleneck_speedup
        if one.judged or one.at_most != BOTTLENECK or not gains or not share.low < limit < share.value / PLAINLY:
            continue
        half, wanted = _logit(share.value) - _logit(max(share.low, 1e-6)), _logit(share.value) - _logit(limit)
        enough = math.ceil(MARGIN * seconds * (half / wanted) ** 2)
        place = one.where.function or one.where.resource or "native code"
        longer = f"let it work for about {enough} s" if ended else f"record for about {enough} s"
        return (
            f"can't tell yet: {one.kind} at {place} takes {share.value:.0%} of busy wall, but anything from "
            f"{share.low:.0%} to {share.high:.0%} fits {seconds:.0f} s; {longer}"
        )
    return None


def _logit(share: float) -> float:
    return math.log(share / (1 - share)) if share < 1 else math.inf


def _doubt(context: Context, coverage: list[Covered]) -> str | None:
    """Why a clean bill can't be given, and what would be enough; None when it can."""
    if not is_long_enough(context):
        looks, seconds = _sightings(context), context.recording.duration_s
        return (
            f"too short to judge: {looks} look{'' if looks == 1 else 's'} in {seconds:.1f} s, at least {FEWEST_LOOKS} "
            f"looks and {SHORTEST_S:g} s are needed; record for {enough_seconds(looks, seconds)} s or longer"
        )
    if float(context.busy.weight_ns.sum()) <= 0:
        return "the program did nothing but wait for work; record it under load"
    unseen = unseen_share(context)
    if unseen > context.settings.unplaced_share:
        return f"can't tell: {unseen:.0%} of the program's time was that of children nobody looked at; see coverage"
    unchecked = next((row for row in coverage if row.kind == "cpu-hotspot" and not row.checked), None)
    if unchecked:
        remedy = f"; {unchecked.remedy}" if unchecked.remedy else ""
        return f"can't tell: {unchecked.reason}{remedy}"
    unplaced = unplaced_share(context)
    if unplaced is not None and unplaced > context.settings.unplaced_share:
        return f"can't tell: {unplaced:.0%} of busy wall time has no place; see coverage"
    return None
