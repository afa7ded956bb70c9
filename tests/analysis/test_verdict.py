"""Severity by the lower bounds of share and gain, and the verdict's order of reasons."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from storeprof.analysis.finding import BOTTLENECK, HOTSPOT, NOTICE, Finding, Impact, Where
from storeprof.analysis.intervals import Estimate
from storeprof.analysis.settings import Settings
from storeprof.analysis.verdict import enough_seconds, rank, undecided, with_severity


def finding(low: float, gain: float = 2.0, at_most: str = BOTTLENECK, needs_gain: bool = True) -> Finding:
    """A finding with a lower bound of its share of busy wall and of its gain."""
    share = Estimate(low + 0.02, low, low + 0.04)
    return Finding(
        kind="io-wait",
        where=Where("wal.append"),
        share=share,
        share_of="wall",
        wall_share=share,
        impact=Impact(Estimate(gain, gain, gain)),
        at_most=at_most,
        needs_gain=needs_gain,
    )


@pytest.mark.parametrize(
    ("low", "gain", "expected"),
    [
        (0.10, 1.05, BOTTLENECK),
        (0.0999, 2.0, HOTSPOT),
        (0.30, 1.04, HOTSPOT),
        (0.05, 2.0, HOTSPOT),
        (0.0499, 2.0, NOTICE),
    ],
)
def test_severity_goes_by_the_lower_bounds(low: float, gain: float, expected: str) -> None:
    """A bottleneck has 10 % of busy wall and 5 % of gain at the lower end of both intervals."""
    assert with_severity(finding(low, gain), Settings()).severity == expected


def test_starvation_by_others_is_never_more_than_a_notice() -> None:
    """A cost that is not the program's own doing is named and not called a bottleneck."""
    assert with_severity(finding(0.9, at_most=NOTICE), Settings()).severity == NOTICE


def test_starvation_of_ones_own_making_needs_no_gain() -> None:
    """Threads that saturate the CPUs gain nothing by going, and are a bottleneck all the same."""
    assert with_severity(finding(0.5, gain=1.0, needs_gain=False), Settings()).severity == BOTTLENECK


def test_costs_are_judged_by_the_time_that_other_programs_left() -> None:
    """Well over a tenth of the program's own time is a bottleneck beside others too; starvation is not scaled."""
    assert with_severity(finding(0.06), Settings(), own=0.4).severity == BOTTLENECK
    assert with_severity(finding(0.04), Settings(), own=0.39).severity == HOTSPOT  # a crowded machine shifts shares
    pushed = replace(finding(0.6, gain=1.0, needs_gain=False, at_most=NOTICE), kind="cpu-starvation")
    assert with_severity(pushed, Settings(), own=0.4).wall_share.low == 0.6


def test_what_other_programs_do_comes_last() -> None:
    """Threads that others push aside stand below what the program does itself; those that push each other, above."""
    hot = finding(0.08, 1.1, at_most=HOTSPOT)
    pushed = replace(finding(0.7, gain=1.0, needs_gain=False, at_most=NOTICE), kind="cpu-starvation")
    crowded = replace(pushed, at_most=BOTTLENECK)
    assert rank([with_severity(one, Settings()) for one in (pushed, hot)])[0].kind == hot.kind
    assert rank([with_severity(one, Settings()) for one in (hot, crowded)])[0].kind == "cpu-starvation"


def test_the_largest_gain_comes_first() -> None:
    """The order is by gain; starvation, whose removal gains nothing, stands where its share would put it."""
    small, large, starved = finding(0.2, 1.2), finding(0.11, 3.0), finding(0.48, 1.0, needs_gain=False)
    ordered = rank([with_severity(one, Settings()) for one in (small, starved, large)])
    assert [round(one.impact.speedup.value, 1) for one in ordered] == [3.0, 1.0, 1.2]


def test_nothing_is_a_bottleneck_in_a_run_too_short_for_intervals() -> None:
    """Without enough data a share is a notice, whatever its size."""
    assert with_severity(finding(0.9), Settings(), long_enough=False).severity == NOTICE


def test_the_identifier_is_stable_and_tells_places_apart() -> None:
    """The id is a hash of kind, function and resource: the same in every run."""
    assert finding(0.1).identifier == finding(0.5).identifier
    other = Finding(**{**finding(0.1).__dict__, "where": Where("wal.sync")})
    assert other.identifier != finding(0.1).identifier


def test_how_long_would_be_enough_follows_from_the_looks_that_came() -> None:
    """A program that is looked at rarely needs longer; the least is two seconds, with a margin."""
    assert enough_seconds(looks=190, seconds=1.0) == 3
    assert enough_seconds(looks=20, seconds=2.0) == 30
    assert enough_seconds(looks=0, seconds=0.1) == 15


def test_a_cost_plainly_over_the_threshold_with_a_wide_interval_is_undecided() -> None:
    """Twice the width needs four times the time; a cost that is near the threshold is not worth the wait."""
    wide = replace(finding(0.05), wall_share=Estimate(0.20, 0.05, 0.50))
    wider = replace(finding(0.05), wall_share=Estimate(0.20, 0.02, 0.60))
    said, more = (undecided([one], Settings(), 8.0) for one in (wide, wider))
    assert said is not None
    assert more is not None
    seconds = [int(re.findall(r"about (\d+) s", text)[0]) for text in (said, more)]
    assert 8 < seconds[0] < seconds[1]
    assert "let it work for about" in (undecided([wide], Settings(), 8.0, ended=True) or ""), "it came to its own end"
    assert undecided([replace(finding(0.09), wall_share=Estimate(0.11, 0.09, 0.13))], Settings(), 8.0) is None
    assert undecided([finding(0.30)], Settings(), 8.0) is None
