"""Findings as data; sentences about them are made where they are found, pictures in `storeprof.report`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from storeprof.analysis.intervals import Estimate

BOTTLENECK = "bottleneck"
HOTSPOT = "hotspot"
NOTICE = "notice"

KINDS = (
    "cpu-hotspot", "lock-contention", "gil-contention", "io-wait", "network-wait", "dependency-wait", "sleep-wait",
    "memory-leak", "allocation-churn", "gc-pressure", "cpu-starvation", "cache-misses", "page-faults", "tail-latency",
    "growing-cost", "chatty-wakeups",
)  # fmt: skip


NOTHING = Estimate(0.0, 0.0, 0.0)
# Beside programs that took two thirds of the CPUs a write to a file had 12 to 14 % of the CPU time, alone under 9.
CROWDED_DOUBT = 0.5


@dataclass(frozen=True, slots=True)
class Where:
    """A place a person can open: function, file and line, with the operation and resource it concerns."""

    function: str | None
    file: str | None = None
    line: int | None = None
    operation: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """A function or line with its share of something."""

    function: str | None
    file: str | None
    line: int | None
    share: float


@dataclass(frozen=True, slots=True)
class CallPath:
    """Frames from the outermost of the program to the place, with their share of the finding."""

    frames: tuple[tuple[str, str | None, int | None], ...]
    share: float


@dataclass(frozen=True, slots=True)
class Impact:
    """How many times the throughput (or other basis) would rise if this cost disappeared."""

    speedup: Estimate
    basis: str = "throughput"
    method: str = "amdahl"


@dataclass(frozen=True)
class Finding:
    """One cause, its place, its size with an interval, and what removing it would be worth.

    `share` is of `share_of` ("wall": busy wall, "cpu": CPU time), None for a cost that is no time (a leak, with its
    `rate` in bytes per second); `wall_share` decides the severity, up to `at_most`, unless the kind's own rule has
    `judged` it; `needs_gain` is false for a cost that is named although removing it gains nothing. `undisturbed`: what
    `wall_share` would be without the time that other programs had the CPUs, where that differs. `also_in`: functions
    beside `where` that pay a part of it.
    """

    kind: str
    where: Where
    share: Estimate | None
    share_of: str
    wall_share: Estimate
    impact: Impact
    severity: str = NOTICE
    at_most: str = BOTTLENECK
    needs_gain: bool = True
    judged: str | None = None
    undisturbed: Estimate | None = None
    rate: Estimate | None = None
    lines: tuple[Shared, ...] = ()
    call_paths: tuple[CallPath, ...] = ()
    holders: tuple[Shared, ...] = ()
    also_in: tuple[str, ...] = ()
    per_operation: dict[str, Any] | None = None
    effort: str = "local"
    evidence: tuple[str, ...] = ()
    recommendation: str = ""
    verify: str | None = None

    @property
    def own_share(self) -> Estimate:
        """The share that the finding is judged by."""
        return self.undisturbed or self.wall_share

    @property
    def doubt(self) -> float:
        """What thresholds are multiplied by: a crowded machine makes some code dearer than other."""
        if self.undisturbed is None or self.undisturbed.value <= 0:
            return 1.0
        return 1.0 + CROWDED_DOUBT * (1.0 - self.wall_share.value / self.undisturbed.value)

    @property
    def identifier(self) -> str:
        """Stable over runs: a hash of kind, function and resource."""
        key = "\0".join((self.kind, self.where.function or "", self.where.resource or ""))
        return hashlib.blake2b(key.encode(), digest_size=6).hexdigest()

    def as_document(self, verify: str) -> dict[str, Any]:
        """The finding as CONTRACT's findings document spells it; `verify` proves a fix unless the kind says how."""
        place = self.where
        return {
            "id": self.identifier,
            "kind": self.kind,
            "severity": self.severity,
            "where": {
                "function": place.function, "file": place.file, "line": place.line,
                "operation": place.operation, "resource": place.resource,
            },
            "share": round(self.share.value, 4) if self.share else None,
            "share_ci": self.share.as_list() if self.share else None,
            "share_of": self.share_of,
            "lines": [{"file": row.file, "line": row.line, "share": round(row.share, 4)} for row in self.lines],
            "call_paths": [_path_document(path) for path in self.call_paths],
            "holders": [
                {"function": row.function, "file": row.file, "line": row.line, "share": round(row.share, 4)}
                for row in self.holders
            ],
            "per_operation": self.per_operation,
            "rate_bytes_per_s": round(self.rate.value) if self.rate else None,
            "rate_ci": [round(self.rate.low), round(self.rate.high)] if self.rate else None,
            "impact": {
                "speedup_if_fixed": round(self.impact.speedup.value, 3),
                "ci": [round(self.impact.speedup.low, 3), round(self.impact.speedup.high, 3)],
                "basis": self.impact.basis,
                "method": self.impact.method,
            },
            "effort": self.effort,
            "evidence": list(self.evidence),
            "recommendation": self.recommendation,
            "verify": self.verify or verify,
        }  # fmt: skip


def _path_document(path: CallPath) -> dict[str, Any]:
    frames = [{"function": function, "file": file, "line": line} for function, file, line in path.frames]
    return {"frames": frames, "share": round(path.share, 4)}
