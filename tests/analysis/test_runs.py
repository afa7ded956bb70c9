"""Several runs judged together: what holds, how much runs differ, and what the whole is called."""

from __future__ import annotations

from typing import Any

import pytest

from storeprof.analysis.runs.document import Run, combine
from storeprof.analysis.runs.spread import between_runs

Document = dict[str, Any]


def finding(function: str | None, share: float, severity: str = "bottleneck", **changes: Any) -> Document:
    """A finding as a document has it."""
    where = {
        "function": function,
        "file": "a.py",
        "line": 1,
        "operation": None,
        "resource": changes.pop("resource", None),
    }
    return {
        "id": function, "kind": "io-wait", "severity": severity, "where": where, "share": share,
        "share_ci": [share - 0.01, share + 0.01], "share_of": "wall",
        "impact": {"speedup_if_fixed": 1 / (1 - share), "ci": [1.0, 2.0], "basis": "throughput", "method": "amdahl"},
        "recommendation": "group them", **changes,
    }  # fmt: skip


def document(findings: list[Document], verdict: str = "bottleneck", rate: float | None = 1000.0) -> Document:
    """A findings document of one run."""
    latency = {"p50": 1e-4, "p95": 2e-4, "p99": None, "p999": None, "max": 1.0}
    return {
        "schema": 1, "verdict": verdict, "summary": f"it is {verdict}", "recording": "run", "duration_s": 5.0,
        "ci_level": 0.95, "recorded": {"exit_status": 0}, "overhead": {"timing_percent": None, "method": "as it is"},
        "metrics": {
            "throughput_per_s": rate, "throughput_ci": None, "latency_s": latency, "cpu_percent": 50.0,
            "rss_peak_bytes": 1000, "fsyncs": None,
        },
        "target": None, "wall_time": {"cpu": 0.75, "io": 0.25},
        "operations": [
            {"name": "put", "count": 10, "throughput_per_s": rate, "latency_s": latency, "wall_time": {}, "tail": None}
        ],
        "functions": [{"function": "f", "file": "a.py", "line": 1, "self_cpu_share": 0.5, "total_cpu_share": 0.5}],
        "locks": [], "memory_tags": [],
        "probes": {
            "carried": 0, "never_fired": [], "never_fired_count": 0, "expected": [], "outside_share": None,
            "outside_ci": None, "outside": [],
        },
        "findings": findings, "coverage": [{"kind": "io-wait", "checked": True, "by": "observer", "reason": None}],
    }  # fmt: skip


def together(*documents: Document, target: float | None = None) -> Document:
    """These runs of one command."""
    return combine("folder", [Run(None, one) for one in documents], target)


def row(whole: Document, name: str, operation: str | None = None) -> Document:
    """A row of the table of the only workload."""
    rows: list[Document] = whole["workloads"][0]["table"]
    return next(one for one in rows if (one["name"], one["operation"]) == (name, operation))


def test_a_mean_has_an_interval_between_runs() -> None:
    """Student's t over the runs that know the figure; with one run it is null, and nothing lies below zero."""
    assert between_runs([1.0, 2.0, 3.0]).interval == pytest.approx([0, 4.484], abs=0.01)
    assert between_runs([10.0, 10.2, 9.8, None]).interval == pytest.approx([9.503, 10.497], abs=0.01)
    assert between_runs([5.0, None]).interval is None
    assert between_runs([None]).mean is None
    assert between_runs([0.2, 0.9], most=1.0).interval == [0.0, 1.0]


def test_what_holds_is_told_from_what_was_seen_once() -> None:
    """A finding of all runs comes first with its mean share, one of a single run last, whatever its size."""
    once = finding("rare", 0.6)
    whole = together(
        *(document([finding("sync", share)] + ([once] if share == 0.3 else [])) for share in (0.2, 0.3, 0.4))
    )
    first, last = whole["findings"]
    assert (first["where"]["function"], first["runs"]["holds"], first["runs"]["found"]) == ("sync", "all", 3)
    assert first["share"] == pytest.approx(0.3)
    assert first["share_ci"][0] < 0.2
    assert (last["where"]["function"], last["runs"]["holds"], last["severity"]) == ("rare", "once", "notice")


def test_files_of_each_run_are_one_resource() -> None:
    """Each run has a folder of its own: the kind of file is what runs share."""
    names = ("/data/run-1/wal-00000001.log", "/data/run-2/wal-00000007.log")
    whole = together(*(document([finding("sync", 0.3, resource=name)]) for name in names))
    assert [one["runs"]["found"] for one in whole["findings"]] == [2]


def test_there_is_one_gil() -> None:
    """Who holds the GIL most may be another function in each run; it is one finding all the same."""
    whole = together(*(document([finding(name, 0.3, kind="gil-contention")]) for name in ("encode", "decode")))
    assert [one["runs"]["holds"] for one in whole["findings"]] == ["all"]


def test_the_verdict_is_that_of_most_runs() -> None:
    """A bottleneck has to be the same in most of them; runs that disagree are inconclusive."""
    slow, fine = document([finding("sync", 0.3)]), document([], "no-bottleneck")
    assert together(slow, slow, fine)["verdict"] == "bottleneck"
    assert "in 2 of 3 runs" in together(slow, slow, fine)["summary"]
    assert together(fine, fine, slow)["verdict"] == "no-bottleneck"
    assert together(slow, fine)["verdict"] == "inconclusive"
    assert "disagree" in together(slow, fine)["summary"]
    others = [document([finding(name, 0.3)]) for name in ("a", "b", "c")]
    assert together(*others)["verdict"] == "inconclusive"


def test_one_run_is_judged_as_it_is() -> None:
    """A series that was ended after its first run says what that run says, without intervals between runs."""
    whole = together(document([finding("sync", 0.3)]))
    assert whole["summary"] == "it is bottleneck"
    assert row(whole, "throughput")["ci"] is None
    assert whole["findings"][0]["share_ci"] == [0.29, 0.31]


def test_tables_have_a_row_per_metric() -> None:
    """Of the run and per operation; unknown stays null, CPU per operation follows from CPU and throughput."""
    whole = together(document([], "no-bottleneck", 1000.0), document([], "no-bottleneck", 500.0))
    assert row(whole, "throughput")["mean"] == 750
    assert row(whole, "throughput", "put")["runs"] == [1000, 500]
    assert row(whole, "latency_p99")["mean"] is None
    assert row(whole, "cpu_per_operation")["runs"] == [5e-4, 1e-3]
    assert row(whole, "memory_peak")["ci"] == [1000, 1000]
    assert whole["metrics"]["fsyncs"] is None
    assert whole["wall_time"] == {"cpu": 0.75, "io": 0.25}
    assert [one["throughput_per_s"] for one in whole["runs"]] == [1000, 500]


def test_unknown_throughput_stays_unknown() -> None:
    """Without operations there is no throughput and no CPU per operation, in no run and not over all."""
    whole = together(document([], "no-bottleneck", None), document([], "no-bottleneck", None))
    assert row(whole, "throughput")["mean"] is None
    assert row(whole, "cpu_per_operation")["mean"] is None
    assert whole["metrics"]["throughput_per_s"] is None


def test_workloads_have_a_table_each_and_no_mean_over_them() -> None:
    """The worst verdict speaks, by the name of its workload; a mean over different workloads says nothing."""
    whole = combine(
        "folder", [Run("mixed", document([], "no-bottleneck")), Run("heavy", document([finding("f", 0.3)]))]
    )
    assert [one["workload"] for one in whole["workloads"]] == ["mixed", "heavy"]
    assert whole["verdict"] == "bottleneck"
    assert whole["summary"].startswith("heavy: ")
    assert whole["metrics"]["throughput_per_s"] is None
    assert whole["metrics"]["latency_s"]["p50"] is None
    assert whole["metrics"]["rss_peak_bytes"] == 1000
    assert [one["workload"] for one in whole["operations"]] == ["mixed", "heavy"]


def test_a_target_is_for_the_mean_of_the_runs() -> None:
    """Met or not by the mean, surely only when the interval between runs lies on one side."""
    runs = (document([], "no-bottleneck", 900.0), document([], "no-bottleneck", 1100.0))
    assert together(*runs, target=800)["target"]["met"] is True
    assert together(*runs, target=800)["target"]["surely"] is False
    assert "acceptable" in together(*runs, target=800)["summary"]
    assert together(*runs, target=9000)["target"] == {"per_s": 9000, "met": False, "surely": True, "reach_per_s": None}
