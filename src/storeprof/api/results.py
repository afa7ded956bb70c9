"""The findings document as dataclasses: what CONTRACT names, with the same names; None where it is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: function, file and line, with the operation and the resource (lock, file) it concerns."""

    function: str | None
    file: str | None = None
    line: int | None = None
    operation: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """A place with its share of a finding."""

    place: Place
    share: float


@dataclass(frozen=True, slots=True)
class CallPath:
    """Frames from the outermost to the place of a finding, with their share of it."""

    frames: tuple[Place, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Impact:
    """How many times the throughput (or other `basis`) would rise, at most, if a cost disappeared."""

    speedup_if_fixed: Interval
    basis: str
    method: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause: kind, place, size, gain, evidence and what to do first.

    `share` is of busy wall or of CPU time (`share_of`: "wall" or "cpu"); `rate_bytes_per_s` is a leak's.
    """

    id: str
    kind: str
    severity: str
    where: Place
    share: Interval | None
    share_of: str
    rate_bytes_per_s: Interval | None
    impact: Impact
    lines: tuple[SharedPlace, ...]
    call_paths: tuple[CallPath, ...]
    holders: tuple[SharedPlace, ...]
    effort: str
    evidence: tuple[str, ...]
    recommendation: str
    verify: str


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in seconds; None where fewer than ten operations lie beyond one."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the program: how many, how long, and the shares of its wall time."""

    name: str
    count: int
    throughput_per_s: float | None
    latency_s: Latency
    wall_time: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Covered:
    """Whether a kind of finding was looked for, by what, or why not and what would help."""

    kind: str
    checked: bool
    by: str | None
    reason: str | None
    remedy: str | None


def finding_of(row: Document) -> Finding:
    """A finding from its document."""
    impact = row["impact"]
    return Finding(
        id=row["id"],
        kind=row["kind"],
        severity=row["severity"],
        where=Place(**row["where"]),
        share=_interval(row["share"], row["share_ci"]),
        share_of=row["share_of"],
        rate_bytes_per_s=_interval(row["rate_bytes_per_s"], row["rate_ci"]),
        impact=Impact(Interval(impact["speedup_if_fixed"], *impact["ci"]), impact["basis"], impact["method"]),
        lines=tuple(_shared(line) for line in row["lines"]),
        call_paths=tuple(
            CallPath(tuple(Place(**frame) for frame in path["frames"]), path["share"]) for path in row["call_paths"]
        ),
        holders=tuple(_shared(holder) for holder in row["holders"]),
        effort=row["effort"],
        evidence=tuple(row["evidence"]),
        recommendation=row["recommendation"],
        verify=row["verify"],
    )


def operation_of(row: Document) -> Operation:
    """An operation from its document."""
    latency = Latency(**{name: row["latency_s"][name] for name in ("p50", "p95", "p99", "max")})
    return Operation(row["name"], row["count"], row["throughput_per_s"], latency, dict(row["wall_time"]))


def covered_of(row: Document) -> Covered:
    """A row of coverage from its document."""
    return Covered(**{name: row[name] for name in ("kind", "checked", "by", "reason", "remedy")})


def _interval(value: float | None, ends: list[float] | None) -> Interval | None:
    return None if value is None or ends is None else Interval(value, *ends)


def _shared(row: Document) -> SharedPlace:
    return SharedPlace(Place(row.get("function"), row["file"], row["line"]), row["share"])
