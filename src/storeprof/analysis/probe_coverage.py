"""Which functions that matter carry a probe, which probes were never entered, and what no scope covers.

`--expect` names the functions that matter. What is said of each is what the recording holds: a probe's calls, the
stacks that a function without one was seen on, or neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from storeprof.analysis.accounting.code_owner import without_template_arguments
from storeprof.analysis.context import Context
from storeprof.analysis.describe import sums_by
from storeprof.recording.model import Recording, rows_of

Document = dict[str, Any]
Array = np.ndarray[Any, Any]
MOST_SILENT = 50  # probes that are listed by name
MOST_OUTSIDE = 5
FIRED, NEVER_FIRED, NO_PROBE, NOT_SEEN = "fired", "never-fired", "no-probe", "not-seen"
_WILD = "*?["
_ORDER = (FIRED, NEVER_FIRED, NO_PROBE, NOT_SEEN)


@dataclass(frozen=True)
class Probe:
    """A probe, over all processes: by the names it goes by, and the function it stands in where that is known."""

    name: str
    names: tuple[str, ...]
    calls: int


def probe_coverage(context: Context) -> Document:
    """`probes` of the findings document (docs/formats/findings.md)."""
    probes = _probes(context.recording)
    silent = [one.name for one in probes if one.calls == 0]
    return {
        "carried": len(probes),
        "never_fired": silent[:MOST_SILENT],
        "never_fired_count": len(silent),
        "expected": [_expected(context, name, probes) for name in _asked(context, probes)],
        **_outside(context),
    }


def is_named(wanted: str, function: str) -> bool:
    """Whether a function goes by the name that somebody gave: whole, or its end (`Store.put`, `kv::Store::put`).

    Argument lists and template arguments don't count; `*`, `?` and `[…]` stand for what they do in file names.
    """
    bare = _bare(function)
    asked = _bare(wanted)
    if bare == asked or bare.endswith((f".{asked}", f"::{asked}")):
        return True
    if not any(letter in asked for letter in _WILD):
        return False
    return any(fnmatchcase(bare, pattern) for pattern in (asked, f"*.{asked}", f"*::{asked}"))


def _bare(name: str) -> str:
    whole = without_template_arguments(name).replace("<>", "")
    head, opening, _ = whole.partition("(")
    return head if opening and head and not head[-1].isspace() and not head.endswith("operator") else whole


def _probes(recording: Recording) -> list[Probe]:
    rows = rows_of(
        recording.sql(
            "SELECT name, full_name, file, line, max(function) AS function, sum(calls) AS calls "
            "FROM probes GROUP BY ALL ORDER BY name"
        )
    )
    return [
        Probe(
            row["name"] if row["function"] in (None, row["full_name"]) else f"{row['name']} in {row['function']}",
            tuple(name for name in (row["name"], row["full_name"], row["function"]) if name),
            int(row["calls"]),
        )
        for row in rows
    ]


def _asked(context: Context, probes: list[Probe]) -> list[str]:
    """The names that were asked for; in place of a pattern all that it means, as far as the run has shown them."""
    asked: dict[str, None] = {}
    for name in context.settings.expected:
        found = [name]
        if any(letter in name for letter in _WILD):
            known = [one for probe in probes for one in probe.names[1:]]
            known += [function.name for function in context.stacks.functions]
            found = sorted({_bare(one) for one in known if is_named(name, one)}) or found
        asked |= dict.fromkeys(found)
    return list(asked)


def _expected(context: Context, name: str, probes: list[Probe]) -> Document:
    """What is known of one function that was asked for."""
    carried = [probe for probe in probes if any(is_named(name, one) for one in probe.names)]
    calls = sum(probe.calls for probe in carried)
    seen = [] if calls else _seen_as(context, name)
    share = context.share_of_busy(_having(context, seen)) if seen else None
    without = NO_PROBE if seen else NOT_SEEN
    return {
        "name": name,
        "status": (FIRED if calls else NEVER_FIRED) if carried else without,
        "probes": [probe.name for probe in carried],
        "calls": calls if carried else None,
        "share": round(share.value, 4) if share else None,
        "share_ci": [round(share.low, 4), round(share.high, 4)] if share else None,
    }


def _seen_as(context: Context, name: str) -> list[int]:
    """Functions on stacks that go by a name."""
    return [at for at, function in enumerate(context.stacks.functions) if is_named(name, function.name)]


def _having(context: Context, functions: list[int]) -> Array:
    """Mask of the busy rows with one of these functions on their stack."""
    found = np.zeros(len(context.busy), dtype=bool)
    for function in functions:
        found |= context.stacks.having(function, context.busy.stack)
    return found


def _outside(context: Context) -> Document:
    """How much of busy wall lies outside any scope, by the looks: they alone know scopes."""
    rows = context.looked_at
    if rows is None or len(rows) == 0:
        return {"outside_share": None, "outside_ci": None, "outside": []}
    block, count = context.blocks.of(rows.t_ns), context.blocks.count
    free = rows.node == 0
    whole = np.bincount(block, weights=rows.weight_ns, minlength=count)
    share = context.blocks.share(np.bincount(block[free], weights=rows.weight_ns[free], minlength=count), whole)
    outside = rows.where(free)
    ranked = sums_by(context.place_functions(outside), outside.weight_ns)
    return {
        "outside_share": round(share.value, 4),
        "outside_ci": [round(share.low, 4), round(share.high, 4)],
        "outside": [_function(context, key, part * share.value) for key, part in ranked if key >= 0][:MOST_OUTSIDE],
    }


def _function(context: Context, key: int, share: float) -> Document:
    function = context.stacks.functions[key]
    return {"function": function.name, "file": function.file, "line": function.line, "share": round(share, 4)}


def merged_coverage(documents: Iterable[Document]) -> Document:
    """`probes` of several runs: what fired in one run fired, and shares are means over those that know them."""
    parts = list(documents)
    silent = set.intersection(*(set(part["never_fired"]) for part in parts))
    by_name: dict[str, list[Document]] = defaultdict(list)
    for part in parts:
        for row in part["expected"]:
            by_name[row["name"]].append(row)
    known = [part["outside_share"] for part in parts if part["outside_share"] is not None]
    alone = len(parts) == 1
    return {
        **parts[0],
        "carried": max(part["carried"] for part in parts),
        "never_fired": sorted(silent),
        "never_fired_count": parts[0]["never_fired_count"] if alone else len(silent),
        "expected": [_merged(rows) for rows in by_name.values()],
        "outside_share": round(sum(known) / len(known), 4) if known else None,
        "outside_ci": parts[0]["outside_ci"] if alone else None,
    }


def _merged(rows: list[Document]) -> Document:
    best = min(rows, key=lambda row: _ORDER.index(row["status"]))
    calls = [row["calls"] for row in rows if row["calls"] is not None]
    return {**best, "calls": sum(calls) if calls else None}
