"""Operations, their latencies, memory and the disk's bytes over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from storeprof.analysis.context import Context
from storeprof.analysis.operations_over_time import operations_over_time
from storeprof.views.bins import Bins

Array = np.ndarray[Any, Any]

MOST_LATENCY_ROWS = 60_000
OF_AN_OCTAVE = 64
SLICE_NS = 1_000_000_000  # how often probes are read
AFTER_THE_WINDOW_NS = 1_500_000_000
GOLDEN = 0.618034


def done(context: Context, bins: Bins) -> dict[str, Array]:
    """Table `done`: operations finished in each slice of about a second, and the time they took in us.

    `operation` is 0 for the program's own count (which is used where no probe counts), else as in `wall`.
    """
    number = _numbers(context)
    rows = _of_nodes(
        context,
        "SELECT node, t0_ns, t1_ns, sum(count)::DOUBLE AS n, sum(total_ns)::DOUBLE AS total FROM scope_slices",
        "count > 0",
    )
    operation = np.array([number[node] for node in rows["node"].tolist()], dtype=np.int64)
    if len(operation) == 0:
        for series in operations_over_time(context):
            edges, length = series.edges_ns, len(series.count)
            rows = {"t0_ns": edges[:-1], "t1_ns": edges[1:], "n": series.count, "total": series.seconds * 1e9}
            operation = np.zeros(length, dtype=np.int64)
    return {
        "operation": operation,
        "from_ms": bins.milliseconds(rows["t0_ns"]),
        "to_ms": bins.milliseconds(rows["t1_ns"]),
        "count": np.rint(rows["n"]),
        "total_us": np.rint(rows["total"] / 1e3),
    }


def latencies(context: Context, bins: Bins) -> tuple[dict[str, Array], list[list[float]]]:
    """Table `latency`: per operation, slice of time and bucket of latency a count; and the buckets' edges in ns."""
    number = _numbers(context)
    rows = _of_nodes(
        context,
        "SELECT node, t1_ns, low_ns, min(high_ns) AS high_ns, sum(count)::DOUBLE AS n, min(t0_ns) AS t0_ns "
        "FROM scope_histograms LEFT JOIN (SELECT node, t1_ns, min(t0_ns) AS t0_ns FROM scope_slices GROUP BY ALL) "
        "USING (node, t1_ns)",
        "count > 0",
        also="low_ns",
    )
    operation = np.array([number[node] for node in rows["node"].tolist()], dtype=np.int64)
    t1_ns = np.asarray(rows["t1_ns"], dtype=np.int64) - bins.start_ns
    t0_ns = np.where(
        np.ma.getmaskarray(rows["t0_ns"]), t1_ns - SLICE_NS, np.ma.filled(rows["t0_ns"], 0) - bins.start_ns
    )
    each = 1
    while True:  # neighbouring slices are one where there are too many rows
        length = max(SLICE_NS * each, bins.length_ns)
        found = _latency_rows(operation, t0_ns / length, t1_ns / length, rows["low_ns"], rows["n"])
        if len(found["count"]) <= MOST_LATENCY_ROWS or length > bins.length_ns * bins.count:
            break
        each *= 2
    code = found.pop("code")
    codes, bucket = np.unique(code, return_inverse=True)
    of_row = _codes(rows["low_ns"])
    edges = [
        [float(rows["low_ns"][of_row == one].min()), float(rows["high_ns"][of_row == one].max())]
        for one in codes.tolist()
    ]
    slice_ms = length / 1e6
    found |= {"bucket": bucket, "from_ms": np.rint(np.maximum(found["slice"], 0) * slice_ms)}
    found["to_ms"] = np.rint((np.maximum(found.pop("slice"), 0) + 1) * slice_ms)
    return found, edges


def _codes(low_ns: Array) -> Array:
    """Buckets of processes whose clocks tick differently are one where they are alike within 1 %."""
    codes: Array = np.rint(np.log2(np.maximum(low_ns, 1.0)) * OF_AN_OCTAVE).astype(np.int64)
    return codes


def _latency_rows(operation: Array, begin: Array, end: Array, low_ns: Array, count: Array) -> dict[str, Array]:
    """Counts by operation, slice and bucket; what was counted from `begin` to `end` (in slices) is spread evenly."""
    if len(operation) == 0:
        return {name: np.zeros(0, dtype=np.int64) for name in ("operation", "slice", "code", "count")}
    # Both ends go to the nearest edge, so that slices read at odd times leave no gap between them.
    first, last = (np.maximum(np.floor(at + 0.5), 0).astype(np.int64) for at in (begin, end))
    first = np.where(last > first, first, np.maximum((begin + end) / 2, 0).astype(np.int64))
    number = np.maximum(last - first, 1)
    row = np.repeat(np.arange(len(number)), number)
    back = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    phase = row * GOLDEN % 1.0  # so that counts of one do not all fall into the same slice
    each = np.asarray(count, dtype=np.float64)[row] / number[row]
    reached = [np.floor((back + one) * each + phase + 1e-9) for one in (0, 1)]
    columns = np.stack([operation[row], first[row] + back, _codes(low_ns)[row]])
    distinct, which = np.unique(columns, axis=1, return_inverse=True)
    sums = np.bincount(which.ravel(), weights=reached[1] - reached[0], minlength=distinct.shape[1])
    some = sums > 0
    return {"operation": distinct[0][some], "slice": distinct[1][some], "code": distinct[2][some], "count": sums[some]}


def _numbers(context: Context) -> dict[int, int]:
    """For the node of each operation the operation's number, as in `wall`."""
    tree = context.operations
    at = {name: position + 1 for position, name in enumerate(tree.names)}
    return {node: at[one.name] for one in tree.operations for node in one.nodes}


def _of_nodes(context: Context, select: str, having: str, also: str = "t0_ns") -> dict[str, Array]:
    start, end = context.recording.window
    nodes = ", ".join(map(str, _numbers(context) or [-1]))
    return context.recording.sql(
        f"{select} WHERE node IN ({nodes}) AND {having} AND t1_ns > {start} AND t1_ns <= {end + AFTER_THE_WINDOW_NS} "
        f"GROUP BY node, t1_ns, {also} ORDER BY node, t1_ns, {also}"
    )


def memory(context: Context, bins: Bins) -> tuple[dict[str, Array], list[dict[str, Any]]]:
    """Table `memory`: the last reading of each process and kind in each bin, in bytes; and the processes."""
    kinds = ("rss", "read", "written")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    rows = context.recording.sql(
        f"""
        SELECT proc_id, list_position([{listed}], kind) - 1 AS kind,
               (t_ns - {bins.start_ns}) // {bins.length_ns} AS bin, arg_max(bytes, t_ns)::DOUBLE AS bytes
        FROM memory WHERE t_ns BETWEEN {bins.start_ns} AND {bins.end_ns - 1} AND kind IN ({listed})
        GROUP BY ALL ORDER BY proc_id, kind, bin
        """
    )
    known = context.recording.sql("SELECT proc_id, pid, name, exe FROM processes ORDER BY pid, exec")
    position = {proc_id: at for at, proc_id in enumerate(known["proc_id"].tolist())}
    processes = [
        {"pid": pid, "name": name or exe}
        for pid, name, exe in zip(
            *(np.ma.asarray(known[column]).tolist() for column in ("pid", "name", "exe")), strict=True
        )
    ]
    kept = np.array([proc_id in position for proc_id in rows["proc_id"].tolist()], dtype=bool)
    table = {name: rows[name][kept] for name in ("kind", "bin", "bytes")}
    owner = [position[proc_id] for proc_id in rows["proc_id"][kept].tolist()]
    return {"process": np.array(owner, dtype=np.int64), **table}, processes


def memory_tags(context: Context, bins: Bins) -> tuple[dict[str, Array], list[str]]:
    """Table `tags`: live bytes per memory tag at the last reading of each bin, all processes together; the tags."""
    rows = context.recording.sql(
        f"""
        WITH last AS (
            SELECT tag, proc_id, (t_ns - {bins.start_ns}) // {bins.length_ns} AS bin, arg_max(live_bytes, t_ns) AS bytes
            FROM memory_tags WHERE t_ns BETWEEN {bins.start_ns} AND {bins.end_ns - 1} GROUP BY ALL
        )
        SELECT tag, bin, sum(bytes)::DOUBLE AS bytes FROM last GROUP BY ALL ORDER BY tag, bin
        """
    )
    tags = list(dict.fromkeys(rows["tag"].tolist()))
    tag = np.array([tags.index(one) for one in rows["tag"].tolist()], dtype=np.int64)
    return {"tag": tag, "bin": rows["bin"], "bytes": rows["bytes"]}, tags
