"""The throughput somebody asked for: met or not, how surely, and how far the first fix would get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOTHING_NEEDED = "no optimization is needed: "
WITHOUT_CAUSE = "it takes several smaller changes, another design, or more CPUs"


@dataclass(frozen=True)
class Target:
    """Operations per second that were asked for, beside those that the run had.

    `interval`: of the throughput, where it is known. `reach_per_s`: the throughput with the first bottleneck fixed.
    """

    per_s: float
    throughput_per_s: float | None
    interval: tuple[float, float] | None = None
    reach_per_s: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the run had that throughput; None where its throughput is unknown."""
        return None if self.throughput_per_s is None else self.throughput_per_s >= self.per_s

    @property
    def surely(self) -> bool | None:
        """Whether the whole interval is on that side of the target; None without an interval."""
        if self.interval is None:
            return None
        return not self.interval[0] < self.per_s <= self.interval[1]

    def as_document(self) -> dict[str, Any]:
        """As docs/formats/findings.md has it."""
        reach = None if self.reach_per_s is None else round(self.reach_per_s, 3)
        return {"per_s": self.per_s, "met": self.met, "surely": self.surely, "reach_per_s": reach}


def target_of(asked: float | None, metrics: dict[str, Any], findings: list[dict[str, Any]]) -> Target | None:
    """The target of a findings document's metrics and findings; None when none was asked for."""
    if asked is None:
        return None
    per_s, interval = metrics["throughput_per_s"], metrics.get("throughput_ci")
    worst = next((row["impact"] for row in findings if row["severity"] == "bottleneck"), None)
    gains = per_s is not None and worst is not None and worst["basis"] == "throughput"
    reach = per_s * worst["speedup_if_fixed"] if gains and worst else None
    return Target(asked, per_s, tuple(interval) if interval else None, reach)


def with_target(verdict: str, summary: str, target: Target | None) -> str:
    """The summary with what it says of the target in front, and nothing that contradicts a target that is missed."""
    if target is None:
        return summary
    asked = f"{target.per_s:,.0f}/s"
    if target.throughput_per_s is None:
        return (
            f"can't tell whether the target of {asked} is met, no operations are known: let the program print a line "
            f"`ops=N seconds=S`, or give it probes; {summary}"
        )
    had = f"{target.throughput_per_s:,.0f}/s{'' if target.surely is not False else ', within the noise of this run'}"
    if target.met:
        acceptable = " and performance is acceptable" if verdict == "no-bottleneck" else ""
        return f"the target of {asked} is met ({had}){acceptable}; {summary}"
    said = f"the target of {asked} is missed ({had})"
    if verdict == "no-bottleneck":
        return f"{said}: {summary.replace(NOTHING_NEEDED, '')}; {WITHOUT_CAUSE}"
    if target.reach_per_s is None:
        return f"{said}; {summary}"
    enough = "enough" if target.reach_per_s >= target.per_s else "not enough alone"
    return f"{said}; fixing the first bottleneck would reach at most {target.reach_per_s:,.0f}/s, {enough}; {summary}"
