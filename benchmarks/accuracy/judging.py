"""Judging a findings document against the truth of a case, and adding the judgements up against the targets."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from accuracy.planted import Case, Truth

# With more of the CPUs than this taken by others, sizes that need free cores are not judged.
CROWDED = 0.3
# The targets of the project: right kind and place first, false alarms, and mean errors of shares (points) and gains.
FIRST, ALARMS, SHARE_ERROR, GAIN_ERROR = 0.95, 0, 0.05, 0.15

Finding = dict[str, Any]


@dataclass(frozen=True)
class Judgement:
    """What a document got right. Ranks count from 1; None is 'not named'. Errors are None where nothing is known."""

    case: str
    healthy: bool
    verdict: str | None
    verdict_right: bool
    alarms: int
    rank: int | None = None
    place_rank: int | None = None
    kind_rank: int | None = None
    share: float | None = None
    share_error: float | None = None
    speedup: float | None = None
    true_speedup: float | None = None
    gain_error: float | None = None
    outside_cpus: float = 0.0
    leak_error: float | None = None
    findings: tuple[str, ...] = ()
    note: str = ""

    @property
    def right(self) -> bool:
        """Kind and place named first and called a bottleneck; or, of a healthy program, nothing called one."""
        return self.verdict_right and (self.alarms == 0 if self.healthy else self.rank == 1)


def at_place(finding: Finding, patterns: Iterable[str]) -> bool:
    """Whether a pattern matches the function, the resource or `file:line` of a finding."""
    where = finding.get("where") or {}
    texts = [where.get("function"), where.get("resource")]
    if where.get("file"):
        texts.append(f"{where['file']}:{where.get('line') or 0}")
    return any(re.search(pattern, text) for pattern in patterns for text in texts if text)


def describe(finding: Finding) -> str:
    """A finding in one short line."""
    where = finding.get("where") or {}
    place = (where.get("function") or where.get("resource") or "?").split("(")[0]
    share = finding.get("share")
    size = "-" if share is None else f"{share:.2f}"
    return f"{finding.get('kind')} {place[-44:]} {size} {finding.get('severity')}"


def first(findings: Sequence[Finding], test: Callable[[Finding], bool]) -> tuple[int | None, Finding]:
    """Rank of the first finding that passes a test, and the finding."""
    for rank, finding in enumerate(findings, 1):
        if test(finding):
            return rank, finding
    return None, {}


def errors(truth: Truth, hit: Finding, speedup: float | None, alone: bool) -> dict[str, float | None]:
    """Sizes that the right finding gives, and how far they are from the truth.

    On a crowded machine everybody also waits for a CPU: then only shares of CPU time can be compared, and gains of
    programs that need no second core. A gain of another basis than throughput (a tail's is of P99) is none of these.
    """
    share, predicted = hit.get("share"), (hit.get("impact") or {}).get("speedup_if_fixed")
    span, rate = truth.share_of(hit.get("kind", ""), speedup), hit.get("rate_bytes_per_s")
    if (hit.get("impact") or {}).get("basis", "throughput") != "throughput":
        speedup = None
    if not alone and (truth.needs_cores or hit.get("share_of") != "cpu"):
        span = speedup = None
    return {
        "share": share,
        "share_error": max(span[0] - share, share - span[1], 0.0) if span and share is not None else None,
        "speedup": predicted,
        "true_speedup": speedup,
        "gain_error": abs(predicted / speedup - 1) if predicted and speedup else None,
        "leak_error": abs(rate / truth.leak_bytes_per_s - 1) if rate and truth.leak_bytes_per_s else None,
    }


def judge(case: Case, document: dict[str, Any], speedup: float | None, outside: float = 0, note: str = "") -> Judgement:
    """Compare a findings document with the truth.

    `speedup` is the true one, None where it isn't known; `outside` is how many CPUs other programs took meanwhile.
    """
    truth, findings = case.truth, document.get("findings") or []
    rank, hit = first(findings, lambda one: one.get("kind") in truth.kinds and at_place(one, truth.places))
    return Judgement(
        case=case.name,
        healthy=case.healthy,
        verdict=document.get("verdict"),
        verdict_right=document.get("verdict") == truth.verdict,
        alarms=sum(1 for one in findings if one.get("severity") == "bottleneck"),
        rank=rank,
        place_rank=first(findings, lambda one: at_place(one, truth.places))[0],
        kind_rank=first(findings, lambda one: one.get("kind") in truth.kinds)[0],
        findings=tuple(describe(one) for one in findings[:6]),
        note=note,
        outside_cpus=outside,
        **errors(truth, hit, speedup, outside <= CROWDED),  # type: ignore[arg-type]
    )


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def totals(judged: Sequence[Judgement]) -> dict[str, float | int | None]:
    """The figures that the targets are about."""
    planted = [one for one in judged if not one.healthy]
    healthy = [one for one in judged if one.healthy]
    return {
        "planted": len(planted),
        "kind_and_place_first": mean(float(one.rank == 1) for one in planted),
        "place_first": mean(float(one.place_rank == 1) for one in planted),
        "kind_first": mean(float(one.kind_rank == 1) for one in planted),
        "verdict_right": mean(float(one.verdict_right) for one in judged),
        "healthy": len(healthy),
        "false_alarms": sum(1 for one in healthy if one.alarms or one.verdict == "bottleneck"),
        "share_error": mean(one.share_error for one in planted),
        "gain_error": mean(one.gain_error for one in planted),
        "leak_error": mean(one.leak_error for one in planted),
    }


def missed(figures: dict[str, float | int | None]) -> list[str]:
    """The targets that are not reached, in words."""
    limits = [("share_error", SHARE_ERROR), ("gain_error", GAIN_ERROR), ("false_alarms", ALARMS)]
    over = [f"{name} {figures[name]:.3g} > {limit}" for name, limit in limits if (figures[name] or 0) > limit]
    hits = figures["kind_and_place_first"]
    return over + ([f"kind_and_place_first {hits:.3f} < {FIRST}"] if hits is not None and hits < FIRST else [])
