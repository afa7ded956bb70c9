"""What passes of their own found, as rows of the findings document: each number with the pass that it comes from."""

from __future__ import annotations

from typing import Any

from storeprof.recording.model import Recording, rows_of

# Places shown of one figure of one pass; the recording has the rest.
MOST_PLACES = 5
Row = dict[str, Any]


def passes(recording: Recording, throughput_per_s: float | None) -> list[Row]:
    """The passes of a recording, the timing run first.

    `slowdown`: how many times fewer operations a second the program did than in the timing run (`throughput_per_s`);
    null where it does not say how many it does.
    """
    rows = recording.meta.get("passes") or []
    figures = rows_of(recording.sql("SELECT * FROM pass_figures"))
    return [*_timing(recording), *(_pass(row, figures, throughput_per_s) for row in rows)]


def build_warnings(recording: Recording) -> list[Row]:
    """What of the program's build misleads, as `{what, remedy}`."""
    return list(recording.meta.get("build_warnings") or [])


def _timing(recording: Recording) -> list[Row]:
    """The collectors of the timing run, with perf's stack quality."""
    found = []
    for row in recording.meta.get("collectors") or []:
        figures = []
        if row.get("samples"):
            figures.append(_figure("samples", row["samples"], "samples"))
            if row.get("broken_stacks") is not None:  # py-spy's samples say nothing of it
                figures.append(_figure("stacks that break off", 100 * row["broken_stacks"], "%"))
        found.append(
            {
                "pass": "recording", "collector": row["name"], "collects": [], "own_run": False,
                "ran": bool(row["ran"]), "reason": row.get("reason"), "remedy": row.get("remedy"), "seconds": None,
                "notes": [], "slowdown": None, "figures": figures,
            }
        )  # fmt: skip
    return found


def _pass(row: Row, figures: list[Row], throughput_per_s: float | None) -> Row:
    rate = row.get("operations")
    slowdown = throughput_per_s / rate if throughput_per_s and rate and row["own_run"] else None
    keys = ("pass", "collector", "collects", "own_run", "ran", "reason", "remedy", "seconds", "notes")
    mine = [one for one in figures if (one["pass"], one["collector"]) == (row["pass"], row["collector"])]
    return {
        **{key: row.get(key) for key in keys},
        "slowdown": None if slowdown is None else round(slowdown, 2),
        "figures": _largest(mine),
    }


def _largest(figures: list[Row]) -> list[Row]:
    """The first places of each figure; tools give them largest first."""
    seen: dict[tuple[str, bool], int] = {}
    kept = []
    for one in figures:
        key = (one["figure"], one["function"] is None)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= MOST_PLACES:
            place = {name: one[name] for name in ("function", "file", "line")}
            kept.append(_figure(one["figure"], one["value"], one["unit"]) | place)
    return kept


def _figure(name: str, value: float, unit: str) -> Row:
    return {"figure": name, "value": round(value, 9), "unit": unit, "function": None, "file": None, "line": None}
