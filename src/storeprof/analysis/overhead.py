"""What storeprof added to this very run: what can be measured from the run itself, and what is calibrated.

Probes time the operations of most slices of 5 ms of a thread's CPU time and only count those of others, drawn at random
(docs/formats/shared-memory.md). The difference in CPU time per operation between neighbouring slices is what timing
costs, with everything it does to caches and branch predictors. What a scope costs that is only counted cannot be
switched off; it was calibrated at the program's start, and is multiplied by the calls. Differences of logarithms are
averaged with a tenth trimmed at either end and the standard error of Yuen (Biometrika 61, 1974): now and then a slice
holds a flush or a collection of garbage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.context import Context
from storeprof.analysis.counted import counted_calls
from storeprof.analysis.intervals import Estimate, student_t
from storeprof.recording.model import Recording
from storeprof.system_calls import CALL_COST_NS

Array = np.ndarray[Any, Any]

SHORTEST_NS = 1_000_000  # the first slices of a thread are shorter: it does not know yet how many operations fill 5 ms
FEWEST_PAIRS = 10
TRIMMED = 0.1
LEAST_IN_PLACE, MOST_IN_PLACE = 0.5, 2.0  # of the calibrated cost, where the run says no more
CLOCK_S = 0.0001  # CPU times of the observer's parts are rounded to this
MEASURED = "CPU time per operation of slices timed over slices only counted, at random"
CALIBRATED = "timed calls times the calibrated cost of timing one"
METHOD = (
    "probes: {}, plus calls times the calibrated cost of a scope that is only counted, of the program's CPU time; "
    "memory tags: calls times calibrated cost; counting: system calls times what counting one costs; "
    "observer: CPU time of observer and perf, of the usable CPUs"
)


@dataclass(frozen=True)
class Calls:
    """Calls of probes and what they cost at least: CPU seconds by calibration."""

    scopes: int
    timed: int
    floor_s: float
    timing_s: float
    dearest: str | None
    dearest_s: float
    tags: int
    tags_s: float | None


def overhead(context: Context) -> dict[str, Any]:
    """The `overhead` of the findings document (docs/formats/findings.md); percentages, null where unknown.

    `timing_percent` is all that probes cost: `toggled_percent` + `floor_percent`.
    """
    recording = context.recording
    cpu_s = context.cpu_seconds
    calls = _calls(recording)
    toggled = _toggled(recording)
    known = calls is not None and cpu_s > 0
    floor = 100 * calls.floor_s / cpu_s if known and calls else None
    part = _percent(toggled, recording, cpu_s)
    tags_s = calls.tags_s if calls else None
    memory = 100 * tags_s / cpu_s if tags_s is not None and cpu_s > 0 else None
    observer, observer_ci = _observer_percent(context)
    calibrated = 100 * calls.timing_s / cpu_s if known and calls else None
    timing = None if floor is None or calibrated is None else floor + (part.value if part else calibrated)
    return {
        "timing_percent": _rounded(timing),
        "timing_ci": _timing_ci(part, floor, calibrated),
        "floor_percent": _rounded(floor),
        "toggled_percent": _rounded(part.value) if part else None,
        "observer_percent": observer,
        "observer_ci": observer_ci,
        "memory_percent": _rounded(memory),
        "memory_ci": _scaled(memory, part, calibrated),
        "counting_percent": _counting_percent(recording, cpu_s),
        "timed_share": round(calls.timed / calls.scopes, 4) if calls and calls.scopes else None,
        "budget_percent": recording.meta.get("overhead_budget_percent"),
        "advice": _advice(recording, calls, floor, cpu_s),
        "detached": _detached(recording),
        "method": METHOD.format(MEASURED if part else CALIBRATED),
    }


def _timing_ci(part: Estimate | None, floor: float | None, calibrated: float | None) -> list[float] | None:
    """The measured part's interval and the floor's: in its place a scope may cost more, or less, than by calibration.

    By how much is seen where both are known, in what timing costs.
    """
    if part is None or floor is None or not calibrated:
        return None
    least, most = _in_place(part, calibrated)
    return [round(floor * least + part.low, 3), round(floor * most + part.high, 3)]


def _in_place(part: Estimate | None, calibrated: float | None) -> tuple[float, float]:
    """How many times what was calibrated a probe costs in its place, at least and at most."""
    if part is None or not calibrated:
        return LEAST_IN_PLACE, MOST_IN_PLACE
    low, high = part.low / calibrated, part.high / calibrated
    return min(max(low, LEAST_IN_PLACE), 1.0), min(max(high, 1.0), MOST_IN_PLACE)


def _scaled(percent: float | None, part: Estimate | None, calibrated: float | None) -> list[float] | None:
    """The interval of a cost that is only calibrated."""
    return None if percent is None else [round(percent * factor, 3) for factor in _in_place(part, calibrated)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _calls(recording: Recording) -> Calls | None:
    """Calls within the window; None when no probe said what it costs."""
    start, end = recording.window
    rows = recording.sql(
        """
        SELECT n.name, n.line IS NOT NULL AND n.file LIKE '%.py' AS decorated, n.file IS NULL AS block,
            sum(s.count) AS calls, sum(coalesce(s.timed, s.count)) AS timed, p.probe_floor_ns AS full,
            coalesce(p.counted_floor_ns, 0) AS counted, coalesce(p.function_floor_ns, 0) AS function,
            coalesce(p.block_floor_ns, 0) AS with_block
        FROM scope_slices s JOIN scope_nodes n USING (node) JOIN processes p ON p.proc_id = s.proc_id
        WHERE s.t1_ns > $1 AND s.t1_ns <= $2 AND p.probe_floor_ns IS NOT NULL GROUP BY ALL
        UNION ALL
        SELECT 'lock ' || s.lock, false, false, sum(s.count), sum(s.timed), p.probe_floor_ns,
            coalesce(p.counted_floor_ns, 0), 0, 0
        FROM lock_stays s JOIN processes p USING (proc_id)
        WHERE s.t1_ns > $1 AND s.t1_ns <= $2 AND p.probe_floor_ns IS NOT NULL GROUP BY ALL
        """,
        [start, end + 1_500_000_000],
    )
    tags = recording.sql(
        """
        SELECT sum(n * (p.tag_floor_ns + coalesce(p.tag_call_floor_ns, 0))) AS ns, sum(n) AS n FROM (
            SELECT proc_id, max(allocations + frees) - coalesce(max(allocations + frees) FILTER (t_ns <= $1), 0) AS n
            FROM memory_tags WHERE t_ns <= $2 GROUP BY proc_id, tag
        ) JOIN processes p USING (proc_id)
        """,
        [start, end + 1_500_000_000],
    )
    tag_ns, tag_calls = tags["ns"][0], tags["n"][0]
    if len(rows["calls"]) == 0 and np.ma.is_masked(tag_ns):
        return None
    python = np.where(rows["decorated"], rows["function"], np.where(rows["block"], rows["with_block"], 0.0))
    floor_s = np.asarray(rows["calls"] * (rows["counted"] + python), dtype=np.float64) / 1e9
    timing = np.asarray(rows["timed"] * (rows["full"] - rows["counted"]), dtype=np.float64) / 1e9
    by_name: dict[str, float] = {}
    for name, seconds in zip(rows["name"].tolist(), floor_s.tolist(), strict=True):
        by_name[name] = by_name.get(name, 0.0) + seconds
    dearest = max(by_name, key=lambda name: by_name[name], default=None)
    return Calls(
        int(rows["calls"].sum()) if len(floor_s) else 0,
        int(rows["timed"].sum()) if len(floor_s) else 0,
        float(floor_s.sum()),
        float(timing.sum()),
        dearest,
        by_name.get(dearest, 0.0) if dearest else 0.0,
        0 if np.ma.is_masked(tag_calls) else int(tag_calls),
        None if np.ma.is_masked(tag_ns) else float(tag_ns) / 1e9,
    )


def _toggled(recording: Recording) -> Estimate | None:
    """CPU time per operation of timed slices over that of neighbours which were only counted, as a logarithm."""
    rows = recording.sql("SELECT * FROM probe_slices WHERE operations > 0 ORDER BY proc_id, block, number")
    cost = np.log(np.maximum(np.asarray(rows["cpu_ns"], dtype=np.float64), 1) / np.asarray(rows["operations"]))
    fit = np.asarray(rows["cpu_ns"]) >= SHORTEST_NS
    off = np.asarray(rows["counted_only"], dtype=bool)
    # The same thread block, and really the one before or after: none was lost between.
    beside = (np.diff(rows["proc_id"]) == 0) & (np.diff(rows["block"]) == 0) & (np.diff(rows["number"]) == 1)
    beside &= fit[1:] & fit[:-1] & (off[1:] != off[:-1])
    sign = np.where(off[1:], -1.0, 1.0)
    differences = (sign * np.diff(cost))[beside]
    if len(differences) < 2 * FEWEST_PAIRS:
        return None
    # A slice between two of the other kind is in two differences: they are averaged, to be one observation.
    first = np.flatnonzero(beside)
    slice_off = np.where(off[1:][first], first + 1, first)
    _, at = np.unique(slice_off, return_inverse=True)
    means = np.bincount(at, weights=differences) / np.bincount(at)
    return trimmed_mean(means)


def trimmed_mean(values: Array) -> Estimate:
    """Mean of the middle four fifths with its 95 % interval (Yuen 1974); at least FEWEST_PAIRS values."""
    ordered = np.sort(values)
    count, cut = len(ordered), int(TRIMMED * len(ordered))
    middle = ordered[cut : count - cut]
    winsorized = np.clip(ordered, middle[0], middle[-1])
    error = float(np.std(winsorized, ddof=1)) / ((1 - 2 * TRIMMED) * math.sqrt(count))
    value, half = float(middle.mean()), student_t(len(middle) - 1) * error
    return Estimate(value, value - half, value + half)


def _percent(toggled: Estimate | None, recording: Recording, cpu_s: float) -> Estimate | None:
    """The difference as a part of the program's CPU time: that of the slices in which operations were timed."""
    if toggled is None or cpu_s <= 0:
        return None
    rows = recording.sql("SELECT sum(cpu_ns) / 1e9 AS s FROM probe_slices WHERE NOT counted_only")
    timed_s = min(float(rows["s"][0]), cpu_s)
    return Estimate(*(100 * timed_s / cpu_s * (1 - math.exp(-x)) for x in (toggled.value, toggled.low, toggled.high)))


def _counting_percent(recording: Recording, cpu_s: float) -> float | None:
    """What counting system calls took of the program's CPU time; None where nobody counted them."""
    counted = counted_calls(recording)
    return _rounded(100 * counted["system_calls"] * CALL_COST_NS / 1e9 / cpu_s) if counted and cpu_s > 0 else None


def _observer_percent(context: Context) -> tuple[float | None, list[float] | None]:
    """Observer and perf, of the usable CPUs, with the interval that the clocks of the parts leave.

    They are counted, not sampled; what is not known is the time of the recorder's last steps, after its clock was read.
    """
    recording = context.recording
    observer = recording.meta.get("observer") or {}
    names = ("sampler_cpu_s", "recorder_cpu_s", "native_cpu_s", "py_spy_cpu_s")
    known = [observer[name] for name in names if observer.get(name) is not None]
    seconds = (recording.meta["ended_ns"] - recording.meta["started_ns"]) / 1e9
    if not known or seconds <= 0:
        return None, None
    whole, error = sum(known), CLOCK_S / 2 * len(known)
    percent = [100.0 * value / (seconds * context.cores) for value in (whole, max(0.0, whole - error), whole + error)]
    return round(percent[0], 3), [round(percent[1], 3), round(percent[2], 3)]


def _advice(recording: Recording, calls: Calls | None, floor: float | None, cpu_s: float) -> str | None:
    """Which probe to remove where the floor alone is over the budget."""
    budget = recording.meta.get("overhead_budget_percent")
    if floor is None or budget is None or floor <= budget or calls is None or calls.dearest is None:
        return None
    of_it = 100 * calls.dearest_s / cpu_s
    return (
        f"probes cost at least {floor:.1f} % of the CPU time, over the budget of {budget:g} %, with nothing timed: "
        f"remove the probe of {calls.dearest} ({of_it:.1f} %)"
    )


def _detached(recording: Recording) -> list[str]:
    rows = recording.sql("SELECT detached FROM processes WHERE detached IS NOT NULL")
    return sorted({name for text in rows["detached"].tolist() for name in text.split(", ")})
