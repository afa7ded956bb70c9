"""The report for people: one screen at 80 columns, in a pipe, without colour."""

from __future__ import annotations

import io
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from storeprof.report.bars import bar, cells
from storeprof.report.difference import print_difference
from storeprof.report.terminal import print_report

DOCUMENT = Path(__file__).parents[1] / "data" / "report" / "tsdb-mixed.json"
SCREEN = 40


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def report_of(document: dict[str, Any], stream: io.StringIO | None = None) -> str:
    """The report as text."""
    stream = stream or io.StringIO()
    print_report(document, stream)
    return stream.getvalue()


@pytest.fixture
def document() -> dict[str, Any]:
    """A findings document of the embedded engine, as it was analysed."""
    found = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_it_is_one_screen_at_80_columns_without_colour(document: dict[str, Any]) -> None:
    """In a pipe lines end at 80 columns (but for paths to copy) and without blanks or escape sequences."""
    lines = report_of(document).splitlines()
    assert len(lines) <= SCREEN
    assert max(len(line) for line in lines if not line.startswith(("recording: ", "look closer: "))) <= 80
    assert all(line == line.rstrip() for line in lines)
    assert "\x1b" not in "".join(lines)


def test_it_says_all_that_a_first_look_needs(document: dict[str, Any]) -> None:
    """Verdict, throughput, percentiles, bars, findings with place and gain, overhead, gaps, and what to do next."""
    text = report_of(document)
    first = document["findings"][0]
    for words in (
        "BOTTLENECK",
        "operations/s",
        "P50",
        "P95",
        "P99",
        "StorageImpl.query",
        "#",
        f"{first['where']['file']}:{first['where']['line']}",
        f"gone: {first['impact']['speedup_if_fixed']:.2f}x",
        "overhead: ",
        "not looked at: ",
        "recording: storeprof-runs/20261125-225400-tsdb-mixed",
        "after a change: ",
        "look closer: storeprof report",
    ):
        assert words in text, words


def test_long_names_and_many_operations_stay_on_the_screen(document: dict[str, Any]) -> None:
    """Names keep their end, what does not fit is counted, and a reason that many kinds share is said once."""
    many = deepcopy(document)
    first = many["operations"][0]
    many["operations"] = [{**first, "name": f"engine.subsystem.component.operation_number_{n}"} for n in range(30)]
    where = many["findings"][0]["where"]
    where |= {"function": "very::long::name" * 9, "file": "/" + "folder/" * 30 + "main.cpp", "line": 12}
    for row in many["coverage"]:
        row |= {"checked": True, "reason": "it was read only in part " * 9, "remedy": "wait"}
    text = report_of(many)
    assert "…nt.operation_number_0 " in text
    assert "operation (5 of 30) " in text
    assert "…/folder/main.cpp:12" in text
    assert text.count("looked at in part") == 1
    lines = text.splitlines()
    assert len(lines) <= SCREEN
    assert max(len(line) for line in lines if not line.startswith(("recording: ", "look closer: "))) <= 80


def test_a_gain_in_latency_is_no_longer_latency(document: dict[str, Any]) -> None:
    """`2.00x faster`, never `2.00x latency`, and the interval gives way where the line would be too long."""
    document["findings"][0]["impact"] = {
        "speedup_if_fixed": 2.0,
        "ci": [1.5, 2.5],
        "basis": "latency",
        "method": "amdahl",
    }
    document["findings"][0] |= {"kind": "dependency-wait", "share": 0.9, "share_ci": [0.8, 0.9]}
    text = report_of(document)
    assert "gone: 2.00x" in text
    assert "faster" in text
    assert "x latency" not in text


def test_a_difference_is_one_screen_too(document: dict[str, Any]) -> None:
    """Figures, bars and findings of both sides at 80 columns; what came and went is named first."""
    before = deepcopy(document)
    before["findings"][0]["kind"] = "io-wait"
    stream = io.StringIO()
    print_difference(document, before, stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)
    fates = [line.rsplit(None, 1)[-1] for line in lines if line.startswith(("gil-contention", "io-wait"))]
    assert fates == ["new", "gone"]
    assert "busy wall, before " in stream.getvalue()


def test_colour_is_for_terminals(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the verdict is coloured, and the words are the same."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    text = report_of(document, Terminal())
    assert "\x1b[" in text
    assert "BOTTLENECK" in text


def test_functions_asked_for_by_name_have_calls_and_latency(document: dict[str, Any]) -> None:
    """Each of them in a line, with its percentiles: not the most called one alone."""
    asked = deepcopy(document)
    figures = [
        {"figure": figure, "value": value, "unit": unit, "function": function, "file": None, "line": None}
        for function, calls in (("kv::put", 900.0), ("kv::get", 40.0))
        for figure, value, unit in (("calls", calls, "calls"), ("longest", 0.02, "s"), ("P99 at most", 8.192e-6, "s"))
    ]
    row = {"collector": "bpftrace-entries", "pass": "pass-1-bpftrace-entries", "collects": ["entries"], "own_run": True}
    row |= {"ran": True, "reason": None, "remedy": None, "seconds": 2.0, "slowdown": 1.0, "notes": []}
    asked["passes"] = [row | {"figures": figures}]
    text = report_of(asked)
    assert "kv::put: 900 calls, P99 < 8.19 us, longest 20 ms" in text
    assert "kv::get: 40 calls, P99 < 8.19 us, longest 20 ms" in text


def test_names_with_markup_are_text(document: dict[str, Any]) -> None:
    """A function or file named like markup is printed as it is spelled."""
    hostile = deepcopy(document)
    hostile["findings"][0]["where"]["function"] = "[red]f[/red][/]"
    hostile["operations"][0]["name"] = "[bold]o[/]"
    text = report_of(hostile)
    assert "[red]f[/red][/]" in text
    hostile["findings"][0]["where"]["function"] = "f\x1b[31m\x07\nnext\u202e"
    assert "f·[31m· next·" in report_of(hostile)
    assert "[bold]o[/]" in text


def test_what_is_unknown_is_said_and_not_zero(document: dict[str, Any]) -> None:
    """Without operations there is no throughput of nought, and nothing of percentiles."""
    bare = deepcopy(document)
    bare["operations"] = []
    bare["metrics"]["throughput_per_s"] = None
    bare["findings"] = []
    text = report_of(bare)
    assert "throughput unknown" in text
    assert "P50" not in text
    assert "all busy wall time" in text
    assert "findings" not in text


def test_overhead_has_its_interval_where_it_was_measured(document: dict[str, Any]) -> None:
    """A toggled difference is printed with its ends."""
    document["overhead"] |= {"timing_percent": 0.4, "timing_ci": [0.1, 0.7]}
    assert "probes 0.40 % (0.10 to 0.70)" in report_of(document)


def test_a_bar_is_always_full() -> None:
    """Places are given by largest remainder, so that rounding leaves none empty; without time it is blank."""
    assert cells({"cpu": 1 / 3, "lock": 1 / 3, "io": 1 / 3}, 10) == {"cpu": 4, "lock": 3, "io": 3}
    assert sum(cells({"cpu": 0.996, "gil": 0.004}, 16).values()) == 16
    assert bar({"cpu": 0.0}, 4) == "    "
