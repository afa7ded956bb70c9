"""Words on what the probes cover: functions that ought to carry one, those never entered, time outside any scope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
MOST_NAMES = 4
WORTH_A_WORD = 0.1  # of busy wall outside any scope, where nobody asked


def probe_lines(probes: Document) -> Iterator[str]:
    """Lines for the terminal; none where nobody asked and nothing is worth a word."""
    expected = probes["expected"]
    if expected:
        yield from _asked(expected)
    elif probes["never_fired"]:
        yield f"probes that were never entered: {_names(probes['never_fired'], probes['never_fired_count'])}"
    share = probes["outside_share"]
    if share is None:
        if expected and not probes["carried"]:
            yield "the program carries no probe at all: `record --instrument`, --operation, or decorators"
        return
    if expected or share >= WORTH_A_WORD:
        interval = probes["outside_ci"]
        between = f" ({100 * interval[0]:.0f}–{interval[1]:.0%})" if interval else ""
        where = [f"{row['function']} {row['share']:.0%}" for row in probes["outside"][:3]]
        yield f"outside any scope: {share:.0%}{between} of busy wall{': ' + ', '.join(where) if where else ''}"


def _asked(expected: list[Document]) -> Iterator[str]:
    by_status: dict[str, list[str]] = {}
    for row in expected:
        share = "" if row["share"] is None else f" ({row['share']:.1%} of busy wall)"
        by_status.setdefault(row["status"], []).append(f"{row['name']}{share}")
    fired = len(by_status.get("fired", []))
    yield f"functions that ought to have probes: {fired} of {len(expected)} have one that was entered"
    for status, words in (
        ("no-probe", "they carry no probe, and ran"),
        ("never-fired", "their probes were never entered"),
        ("not-seen", "no probe, and never seen to run"),
    ):
        if status in by_status:
            yield f"{words}: {_names(by_status[status], len(by_status[status]))}"


def _names(names: list[str], count: int) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {count - MOST_NAMES} more" if count > MOST_NAMES else shown
