"""Severity of each finding and the verdict over all, by the rules of CONTRACT."""

from __future__ import annotations

from dataclasses import dataclass, replace

from storeprof.analysis.context import Context, Settings
from storeprof.analysis.coverage import Covered, placed_share
from storeprof.analysis.finding import BOTTLENECK, HOTSPOT, NOTICE, Finding

FEWEST_LOOKS = 200
NOISY = 0.5
_RANK = {NOTICE: 0, HOTSPOT: 1, BOTTLENECK: 2}


@dataclass(frozen=True)
class Verdict:
    """`bottleneck`, `no-bottleneck` or `inconclusive`, and one sentence a person can act on."""

    verdict: str
    summary: str


def is_long_enough(context: Context) -> bool:
    """Whether there is enough data for an interval to mean anything."""
    return len(context.looks) >= FEWEST_LOOKS and context.blocks.enough


def with_severity(finding: Finding, settings: Settings, long_enough: bool = True) -> Finding:
    """The finding with its severity: by the lower bounds of its share of busy wall and of its gain.

    Nothing is more than a notice in a run that is too short for intervals.
    """
    if finding.judged is not None:
        return replace(finding, severity=finding.judged)
    low = finding.wall_share.low
    gain = not finding.needs_gain or finding.impact.speedup.low >= settings.bottleneck_speedup
    if low >= settings.bottleneck_share and gain:
        severity = BOTTLENECK
    elif low >= settings.hotspot_share:
        severity = HOTSPOT
    else:
        severity = NOTICE
    severity = min(severity, finding.at_most, severity if long_enough else NOTICE, key=lambda one: _RANK[one])
    return replace(finding, severity=severity)


def rank(findings: list[Finding]) -> list[Finding]:
    """Bottlenecks first, then the largest gain, the larger share where gains are equal.

    A cost whose removal gains nothing by itself, or latency only, stands where its share would put it.
    """

    def weight(one: Finding) -> float:
        gains = one.needs_gain and one.impact.basis != "latency"
        return one.impact.speedup.value if gains else 1.0 / max(1.0 - one.wall_share.value, 0.001)

    return sorted(findings, key=lambda one: (one.severity != BOTTLENECK, -round(weight(one), 2), -one.wall_share.value))


def judge(context: Context, findings: list[Finding], coverage: list[Covered]) -> Verdict:
    """The verdict over ranked findings."""
    worst = next((one for one in findings if one.severity == BOTTLENECK), None)
    if worst:
        return Verdict("bottleneck", _sentence(worst))
    doubt = _doubt(context, coverage) or _noise(findings)
    if doubt:
        return Verdict("inconclusive", doubt)
    largest = max((one.wall_share.value for one in findings if one.at_most != NOTICE), default=0.0)
    return Verdict(
        "no-bottleneck",
        "no optimization is needed: no cost reaches "
        f"{context.settings.bottleneck_share:.0%} of the program's time (the largest has {largest:.0%})",
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
    return f"{finding.share.value:.0%} of {'CPU time' if finding.share_of == 'cpu' else 'busy wall time'}"


def _noise(findings: list[Finding]) -> str | None:
    """Whether other programs took so much of the CPUs that the rest says little."""
    pushed = next((one for one in findings if one.kind == "cpu-starvation"), None)
    if pushed is None or pushed.wall_share.low < NOISY:
        return None
    return (
        f"too noisy to judge: {pushed.wall_share.value:.0%} of busy wall was waiting for a CPU; {pushed.recommendation}"
    )


def _doubt(context: Context, coverage: list[Covered]) -> str | None:
    """Why a clean bill can't be given, and what would be enough; None when it can."""
    if not is_long_enough(context):
        looks, seconds = len(context.looks), context.recording.duration_s
        return (
            f"too short to judge: {looks} looks in {seconds:.1f} s, at least {FEWEST_LOOKS} looks and 2 s are needed; "
            "record for 10 s or longer"
        )
    if float(context.busy.weight_ns.sum()) <= 0:
        return "the program did nothing but wait for work; record it under load"
    unchecked = next((row for row in coverage if row.kind == "cpu-hotspot" and not row.checked), None)
    if unchecked:
        remedy = f"; {unchecked.remedy}" if unchecked.remedy else ""
        return f"can't tell: {unchecked.reason}{remedy}"
    placed = placed_share(context)
    if placed is not None and 1 - placed > context.settings.unplaced_share:
        return f"can't tell: {1 - placed:.0%} of busy wall time has no place; see coverage"
    return None
