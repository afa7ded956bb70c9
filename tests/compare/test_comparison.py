"""From two sides to the comparison document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sides import MACHINE, cost, side

from storeprof.compare.comparison import compare
from storeprof.compare.explanation import explain
from storeprof.compare.measured import measured_from
from storeprof.compare.prediction import predictions
from storeprof.errors import RecordingError

RATE, CPU, SYNCS = ("throughput", None), ("cpu_per_operation", None), ("fsyncs_per_operation", None)


def rates(*values: float) -> list[dict[tuple[str, str | None], float]]:
    """Runs that know their throughput."""
    return [{RATE: value} for value in values]


def test_a_large_change_between_single_recordings_is_seen() -> None:
    """Twice the throughput is more than runs of one program differ by."""
    document = compare(side("a", rates(1000)), side("b", rates(2000)))
    row = document["metrics"][0]
    assert document["verdict"] == "improved"
    assert row["ratio"] == pytest.approx(2)
    assert row["ci"][0] < 2 < row["ci"][1]


def test_a_small_change_between_single_recordings_is_not_settled() -> None:
    """5 % is what two runs of one program differ by: it can't be told, and the data says what could have been seen."""
    document = compare(side("a", rates(1000)), side("b", rates(1050)))
    row = document["metrics"][0]
    assert document["verdict"] == "cannot-tell"
    assert row["minimum_detectable"] > 1.3
    assert any("one recording after the other" in warning for warning in document["warnings"])


def test_a_rate_of_few_events_differs_by_chance() -> None:
    """17 flushes in 15 s and 9 in the next 15 are the same rate; of reads by the ten thousand they are not."""
    flushes, reads = ("throughput", "flush"), ("throughput", "read")
    before, after = {flushes: 1.13, reads: 11300.0}, {flushes: 0.6, reads: 6000.0}
    document = compare(side("a", [before], duration_s=15.0), side("b", [after], duration_s=15.0))
    verdicts = {row["operation"]: row["verdict"] for row in document["metrics"]}
    assert verdicts == {"flush": "cannot-tell", "read": "regressed"}


def test_beside_other_programs_recordings_differ_more() -> None:
    """A change that is seen on a quiet machine can't be told where others took most of the CPUs, and that is said."""
    rows = [{RATE: 1000.0, CPU: 1e-3}], [{RATE: 560.0, CPU: 1.4e-3}]
    quiet = compare(side("a", rows[0], crowded=0.05), side("b", rows[1], crowded=None))
    assert [row["verdict"] for row in quiet["metrics"]] == ["regressed", "regressed"]
    assert not any("other programs" in warning for warning in quiet["warnings"])
    crowded = compare(side("a", rows[0], crowded=0.8), side("b", rows[1], crowded=0.7))
    assert [row["verdict"] for row in crowded["metrics"]] == ["cannot-tell", "cannot-tell"]
    assert any("other programs took 80% and 70% of the CPUs" in warning for warning in crowded["warnings"])
    counted = compare(side("a", [{SYNCS: 1.0}], crowded=0.8), side("b", [{SYNCS: 3.0}], crowded=0.8))
    assert counted["metrics"][0]["verdict"] == "regressed"


def test_runs_made_in_turn_need_no_allowance() -> None:
    """Where runs of both sides alternate, what the machine does meets both, and their own spread is all that counts."""
    before = side("a", rates(1000, 1004, 998, 1001))
    after = side("b", rates(1031, 1030, 1029, 1032))
    alternating = replace(after, runs=tuple(replace(run, started_ns=run.started_ns) for run in after.runs))
    turned = (
        replace(before, runs=tuple(replace(run, started_ns=2 * at) for at, run in enumerate(before.runs))),
        replace(alternating, runs=tuple(replace(run, started_ns=2 * at + 1) for at, run in enumerate(after.runs))),
    )
    assert compare(*turned)["verdict"] == "improved"
    later = replace(after, runs=tuple(replace(run, started_ns=100 + at) for at, run in enumerate(after.runs)))
    assert compare(before, later)["verdict"] == "cannot-tell"


def test_lower_is_better_where_it_is() -> None:
    """CPU per operation that doubles has regressed, and a regression decides the verdict."""
    document = compare(side("a", [{RATE: 100, CPU: 1e-3}]), side("b", [{RATE: 300, CPU: 2e-3}]))
    verdicts = {row["name"]: row["verdict"] for row in document["metrics"]}
    assert verdicts == {"throughput": "improved", "cpu_per_operation": "regressed"}
    assert document["verdict"] == "regressed"


def test_a_count_that_was_zero_has_no_ratio() -> None:
    """From no fsync to one per operation is a regression without a ratio."""
    document = compare(side("a", [{RATE: 100, SYNCS: 0.0}]), side("b", [{RATE: 100, SYNCS: 1.0}]))
    row = next(row for row in document["metrics"] if row["name"] == "fsyncs_per_operation")
    assert (row["ratio"], row["ci"], row["verdict"]) == (None, None, "regressed")


def test_memory_of_other_amounts_of_data_is_not_compared() -> None:
    """A fix that trebles the throughput holds more data after the same time: that is no regression."""
    peak = ("memory_peak", None)
    document = compare(side("a", [{RATE: 1000, peak: 50e6}]), side("b", [{RATE: 3000, peak: 66e6}]))
    assert document["verdict"] == "improved"
    assert any("3 times as many operations" in warning for warning in document["warnings"])
    document = compare(side("a", [{RATE: 1000, peak: 50e6}]), side("b", [{RATE: 1000, peak: 66e6}]))
    assert document["verdict"] == "regressed"


def test_a_cold_page_cache_is_no_regression() -> None:
    """Libraries that one run had to read from the disk are no work of its operations; a read per operation is."""
    reads = ("read_bytes_per_operation", None)
    cold = compare(side("a", [{RATE: 1000, reads: 0.0}]), side("b", [{RATE: 1000, reads: 4096.0}], duration_s=2))
    assert next(row for row in cold["metrics"] if row["name"] == reads[0])["verdict"] == "cannot-tell"
    many = compare(
        side("a", [{RATE: 1000, reads: 0.0}], duration_s=60), side("b", [{RATE: 1000, reads: 4096.0}], duration_s=60)
    )
    assert next(row for row in many["metrics"] if row["name"] == reads[0])["verdict"] == "regressed"


def test_what_one_side_does_not_know_can_not_be_told() -> None:
    """A metric of one side only has no effect and no verdict, and takes nothing from the others."""
    document = compare(side("a", [{RATE: 100, CPU: 1e-3}]), side("b", [{RATE: 300}]))
    row = next(row for row in document["metrics"] if row["name"] == "cpu_per_operation")
    assert (row["baseline"], row["candidate"], row["p_adjusted"]) == (1e-3, None, None)
    assert document["verdict"] == "improved"


def test_other_machines_and_settings_are_said() -> None:
    """Each difference besides the change asked about has its sentence."""
    one = side("a", rates(100), engine="tsdb", threads=2, settings={"overhead budget": 1.0}, build_warnings=[])
    other = side(
        "b", rates(100), engine="tsdb", threads=4, machine={**MACHINE, "cpu": "Other CPU"}, python=["3.12"],
        settings={"overhead budget": 5.0}, build_warnings=["it was built without optimization"],
    )  # fmt: skip
    warnings = " | ".join(compare(one, other)["warnings"])
    for part in (
        "the machines differ in CPU: Test CPU and Other CPU", "threads differs: 2 and 4", "Python [] and",
        "the settings differ in overhead budget: 1.0 and 5.0",
        "the build differs: b: it was built without optimization",
    ):  # fmt: skip
        assert part in warnings


def test_places_and_the_rest_add_up_to_the_change() -> None:
    """What is listed and the rest make one; time without a place is in the rest."""
    before = side("a", [], [cost("cpu", "encode", 4e-6), cost("lock", "put", 5e-6), cost("cpu", None, 1e-6)])
    after = side("b", [], [cost("cpu", "encode", 4e-6), cost("lock", "put", 1e-6), cost("cpu", None, 2e-6)])
    found = explain(before, after)
    assert found is not None
    assert found.change_s == pytest.approx(-3e-6)
    assert [row["where"]["function"] for row in found.rows] == ["put"]
    assert found.rows[0]["share_of_change"] == pytest.approx(4 / 3, abs=1e-3)
    assert found.unexplained_share is not None
    assert sum(row["share_of_change"] for row in found.rows) + found.unexplained_share == pytest.approx(1, abs=1e-3)


def test_parts_of_nothing_have_no_shares() -> None:
    """Where the time per operation stayed, shares of its change would be noise over zero."""
    before, after = (
        side("a", [], [cost("cpu", "f", 10e-6), cost("cpu", "g", 5e-6)]),
        side("b", [], [cost("cpu", "f", 5.1e-6), cost("cpu", "g", 10e-6)]),
    )
    found = explain(before, after)
    assert found is not None
    assert found.unexplained_share is None
    assert {row["share_of_change"] for row in found.rows} == {None}
    assert explain(side("a", []), after) is None


FINDING: dict[str, Any] = {
    "id": "1", "kind": "lock-contention", "severity": "bottleneck", "share": 0.5,
    "where": {"function": "put", "file": "engine.py", "line": 1, "operation": None, "resource": None},
    "impact": {"speedup_if_fixed": 2.0, "ci": [1.8, 2.2], "basis": "throughput", "method": "amdahl"},
}  # fmt: skip


def test_the_gain_promised_stands_beside_the_gain_that_came_true() -> None:
    """A cost that is gone to the half was predicted the half of its time; what came true is the throughput's ratio."""
    before = side("a", rates(100), [cost("lock", "put", 5e-6), cost("cpu", "f", 5e-6)], [FINDING])
    after = side("b", rates(133), [cost("lock", "put", 2.5e-6), cost("cpu", "f", 5e-6)])
    (row,) = predictions(before, after, {"ratio": 1.33, "ci": [1.2, 1.4]})
    assert row["removed_share"] == 0.5
    assert row["predicted_speedup"] == pytest.approx(1 / 0.75, abs=1e-3)
    assert (row["realised_speedup"], row["realised_ci"]) == (1.33, [1.2, 1.4])
    waits_between = {**FINDING, "impact": {**FINDING["impact"], "basis": "latency"}}
    before = side("a", rates(100), before.costs, [waits_between])
    for in_slices in (False, True):  # the worker of a duel waits for its slices, and is as fast as its operations
        assert bool(predictions(before, after, {"ratio": 1.33, "ci": [1.2, 1.4]}, in_slices)) == in_slices


def test_a_cost_that_is_still_there_kept_no_promise() -> None:
    """Nothing is predicted of a finding that the change did not touch."""
    before = side("a", rates(100), [cost("lock", "put", 5e-6)], [FINDING])
    assert predictions(before, side("b", [], [cost("lock", "put", 4e-6)]), {"ratio": 1.0, "ci": [0.9, 1.1]}) == []


def test_a_side_survives_being_written_and_read() -> None:
    """A baseline is the same side again; a damaged one, and one of a later format, is one line."""
    made = side("a", [{RATE: 100.0, ("latency_p50", "put"): 1e-6}], [cost("io", "sync", 1e-3, "wal")], [FINDING])
    document = json.loads(json.dumps(made.as_document()))
    assert measured_from(document, "x") == made
    with pytest.raises(RecordingError, match="newer storeprof"):
        measured_from({**document, "format": 99}, "x")
    del document["runs"]
    with pytest.raises(RecordingError, match="damaged"):
        measured_from(document, "x")
