"""Operations per second: where the number comes from, and when it has an interval."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from storeprof.analysis.throughput import throughput


def context(meta: dict[str, Any], slices: list[int] | None = None, seconds: float = 20) -> Any:
    """A context with what throughput reads: metadata, and the probes' counts per second."""
    counts = np.array(slices or [], dtype=np.int64)
    rows = {"n": counts, "length": np.full(len(counts), 1_000_000_000)}
    window = (0, int(seconds * 1e9))
    recording = SimpleNamespace(meta=meta, duration_s=seconds, window=window, sql=lambda *_: rows)
    known = (SimpleNamespace(count=int(counts.sum()), nodes=(1,)),) if slices else ()
    return SimpleNamespace(recording=recording, operations=SimpleNamespace(operations=known, measured_s=seconds))


def lines(count: int) -> list[dict[str, Any]]:
    """Increments that a program stated, one a second, 90 and 110 in turn."""
    return [{"t_ns": i, "ops": 90 + 20 * (i % 2), "seconds": 1.0} for i in range(count)]


def test_a_program_that_counts_every_second_has_an_interval() -> None:
    """Its own increments are the slices."""
    found = throughput(context({"program_counts": lines(20)}))
    assert found.per_s == 100
    assert found.interval is not None
    assert 90 < found.interval.low < 100 < found.interval.high < 110


def test_one_count_at_the_end_has_none() -> None:
    """A single number says nothing of its error: null."""
    found = throughput(context({"program_counts": lines(1)}))
    assert found.per_s == 90
    assert found.as_list() is None


def test_the_drivers_count_takes_its_error_from_the_probes() -> None:
    """The number is the driver's; how much it changes from second to second is known from the probes."""
    found = throughput(context({"driven": {"ops": 4000}}, [90, 110] * 10))
    assert found.per_s == 200
    assert found.interval is not None
    assert 180 < found.interval.low < 200 < found.interval.high < 220


def test_probes_alone_give_both() -> None:
    """Without a count of the program's own, operations are those of the probes."""
    found = throughput(context({}, [100] * 20))
    assert (found.per_s, found.source) == (100, "probes")
    assert found.as_list() == [100, 100]


def test_nothing_known_is_null() -> None:
    """No count and no probes: unknown, never zero."""
    assert throughput(context({})).per_s is None
