"""One cause is one finding; the other ways it shows are its evidence."""

from __future__ import annotations

from dataclasses import replace

from storeprof.analysis.causes import merge_causes
from storeprof.analysis.finding import BOTTLENECK, HOTSPOT, NOTICE, Finding, Impact, Shared, Where
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.settings import Settings


def finding(
    kind: str, function: str | None, share: float, resource: str | None = None, holder: str | None = None
) -> Finding:
    """A finding of some size at a place, with what the other side does."""
    size = Estimate(share, share, share)
    return Finding(
        kind=kind,
        where=Where(function, resource=resource),
        share=size,
        share_of="wall",
        wall_share=size,
        impact=Impact(size),
        severity=BOTTLENECK if share >= 0.1 else NOTICE,
        holders=(Shared(holder, None, None, 0.9),) if holder else (),
        evidence=(f"{kind} was seen",),
    )


def kinds(findings: list[Finding]) -> list[str]:
    """Kinds of the findings that are left."""
    return [one.kind for one in merge_causes(findings, Settings())]


def test_a_slow_consumer_is_one_finding_with_its_work_as_evidence() -> None:
    """The producer's wait survives, and the hotspot of the function it waits for becomes its evidence."""
    merged = merge_causes(
        [finding("cpu-hotspot", "engine.encode", 0.4), finding("dependency-wait", "engine.encode", 0.35)], Settings()
    )
    assert [one.kind for one in merged] == ["dependency-wait"]
    assert merged[0].evidence[-1] == "the same cause shows as cpu-hotspot: cpu-hotspot was seen"


def test_a_lock_names_what_its_holder_waits_for() -> None:
    """A sync under a lock is the lock's finding where others wait for it."""
    waiters = finding("lock-contention", "engine.put", 0.5, holder="engine.flush")
    assert kinds([waiters, finding("io-wait", "engine.flush", 0.3, resource="wal")]) == ["lock-contention"]


def test_a_small_symptom_does_not_hide_a_large_cost() -> None:
    """A kind that says more survives only where it makes up at least two thirds of the other."""
    assert kinds([finding("cpu-hotspot", "f", 0.6), finding("allocation-churn", "f", 0.12)]) == [
        "cpu-hotspot",
        "allocation-churn",
    ]
    assert kinds([finding("cpu-hotspot", "f", 0.17), finding("allocation-churn", "f", 0.12)]) == ["allocation-churn"]


def test_a_wait_stands_for_the_work_it_waits_for_when_it_is_half_of_it() -> None:
    """Of a thread that works all the time and one that waits for it the wait is at most as large as the work."""
    assert kinds([finding("cpu-hotspot", "f", 0.5), finding("dependency-wait", "f", 0.28)]) == ["dependency-wait"]
    assert len(kinds([finding("cpu-hotspot", "f", 0.5), finding("dependency-wait", "f", 0.2)])) == 2


def test_a_lock_is_held_by_all_functions_of_the_work() -> None:
    """What one function allocates and another frees is one piece of work under the lock: a third and a quarter."""
    churn = replace(finding("allocation-churn", "merge", 0.3), also_in=("compact",))
    shares = {"merge": 0.35, "sum": 0.4, "compact": 0.25}
    holders = tuple(Shared(name, None, None, share) for name, share in shares.items())
    lock = replace(finding("lock-contention", "snapshot", 0.44), holders=holders)
    assert kinds([churn, lock]) == ["lock-contention"]
    assert len(kinds([replace(churn, also_in=()), lock])) == 2


def test_different_places_are_different_causes() -> None:
    """Findings that share neither function nor resource are kept, in their order."""
    assert kinds([finding("io-wait", "f", 0.3, "wal"), finding("cpu-hotspot", "g", 0.2)]) == ["io-wait", "cpu-hotspot"]


def test_the_tail_is_evidence_of_what_takes_a_tenth_of_the_run() -> None:
    """A cause over 10 % of busy wall survives its tail; below that the tail survives."""
    tail = finding("tail-latency", "engine.flush", 0.2)
    assert kinds([tail, finding("io-wait", "engine.flush", 0.15)]) == ["io-wait"]
    assert kinds([tail, finding("io-wait", "engine.flush", 0.04)]) == ["tail-latency"]
    likely = replace(tail, severity=HOTSPOT)
    assert kinds([likely, finding("io-wait", "engine.flush", 0.15)]) == ["io-wait"]
    assert kinds([likely, finding("io-wait", "engine.flush", 0.04)]) == ["tail-latency"]
    assert kinds([replace(tail, severity=NOTICE), finding("io-wait", "engine.flush", 0.04)]) == ["io-wait"]


def test_a_tail_of_waits_for_the_gil_is_the_gil() -> None:
    """Operations that wait for the GIL around P99 have no cause of their own where the GIL is the bottleneck."""
    tail = finding("tail-latency", "engine.query", 0.27, resource="GIL")
    assert kinds([finding("gil-contention", "engine.scan", 0.46, resource="GIL"), tail]) == ["gil-contention"]


def test_a_leak_is_never_merged_with_a_cost_of_time() -> None:
    """Memory that grows in a function says nothing of the time it takes."""
    assert len(merge_causes([finding("memory-leak", "f", 0.0), finding("cpu-hotspot", "f", 0.3)], Settings())) == 2
