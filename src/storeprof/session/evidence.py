"""Raw evidence for people, under the names the users of the method know."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from storeprof.recording.model import Recording


def write_performance_test(recording: Recording, document: dict[str, Any], stamp: str) -> Path:
    """`performance_test_STAMP.log`: throughput and P50/P95/P99 of the run and of each operation."""
    lines = [
        "# storeprof: performance test, from the probes' histograms and the program's own count",
        f"command: {' '.join(recording.meta.get('command') or []) or 'attached'}",
        f"duration_s: {recording.duration_s:.3f}",
        f"throughput_per_s: {_number(document['metrics']['throughput_per_s'])}",
        f"cpu_percent: {_number(document['metrics']['cpu_percent'])}",
        f"rss_peak_bytes: {_number(document['metrics']['rss_peak_bytes'])}",
        f"rss_mean_bytes: {_number(document['metrics']['rss_mean_bytes'])}",
        "",
        f"{'operation':40s} {'count':>10s} {'per second':>12s} "
        f"{'P50 us':>10s} {'P95 us':>10s} {'P99 us':>10s} {'max us':>12s}",
    ]
    for row in document["operations"]:
        latency = row["latency_s"]
        figures = " ".join(
            f"{_micro(latency[key]):>{width}s}" for key, width in (("p50", 10), ("p95", 10), ("p99", 10), ("max", 12))
        )
        lines.append(f"{row['name']:40s} {row['count']:>10d} {_number(row['throughput_per_s']):>12s} {figures}")
    if not document["operations"]:
        lines.append("(no operations known: no probes, and none were named)")
    return _write(recording.folder / f"performance_test_{stamp}.log", lines)


def _number(value: float | int | None) -> str:
    if value is None:
        return "unknown"
    return str(value) if isinstance(value, int) else f"{value:.1f}"


def _micro(value: float | None) -> str:
    return "-" if value is None else f"{value * 1e6:.1f}"


def write_sample_profile(recording: Recording, stamp: str) -> Path:
    """`sample_profile_STAMP.txt`: per thread, each stack with the number of looks and samples that saw it."""
    frames = recording.sql("SELECT frame_id, function, module, line FROM frames")
    spelled = {
        frame: f"{f'{module}.' if not np.ma.is_masked(module) and module else ''}{function}" + _line(line)
        for frame, function, module, line in zip(*(np.ma.asarray(frames[key]) for key in frames), strict=True)
    }
    stacks = recording.sql("SELECT stack_id, coalesce(parent_id, -1) AS parent_id, frame_id FROM stacks")
    node = {s: (p, f) for s, p, f in zip(*(stacks[key].tolist() for key in stacks), strict=True)}
    lines = ["# storeprof: looks of the observer (Python stacks with the state) and samples of perf (native stacks)"]
    queries = (
        ("looks", "SELECT thread_id, py_stack_id AS stack, reason AS what FROM looks"),
        ("cpu samples", "SELECT thread_id, stack_id AS stack, source AS what FROM cpu_samples"),
        ("switch samples", "SELECT thread_id, stack_id AS stack, state AS what FROM switch_samples"),
    )
    names = recording.sql("SELECT thread_id, tid, name FROM threads ORDER BY first_ns")
    for title, query in queries:
        counts = recording.sql(
            f"SELECT thread_id, coalesce(stack, -1) AS stack, what, count(*) AS n FROM ({query}) GROUP BY ALL"
        )
        for thread, tid, name in zip(names["thread_id"], names["tid"], names["name"], strict=True):
            mine = counts["thread_id"] == thread
            lines += _thread_lines(f"{title} of thread {tid} ({name})", counts, mine, node, spelled)
    return _write(recording.folder / f"sample_profile_{stamp}.txt", lines)


def _line(line: Any) -> str:
    return "" if np.ma.is_masked(line) or not line else f":{line}"


def _thread_lines(
    title: str, counts: dict[str, Any], mine: Any, node: dict[int, tuple[int, int]], spelled: dict[int, str]
) -> list[str]:
    if not mine.any():
        return []
    merged: Counter[tuple[str, str]] = Counter()
    for stack, what, n in zip(
        counts["stack"][mine].tolist(), counts["what"][mine].tolist(), counts["n"][mine].tolist(), strict=True
    ):
        merged[(_path(stack, node, spelled), what)] += n
    total = sum(merged.values())
    rows = [f"{n:8d}  {what:16s} {path}" for (path, what), n in merged.most_common()]
    return ["", f"{title}: {total}", *rows]


def _path(stack: int, node: dict[int, tuple[int, int]], spelled: dict[int, str]) -> str:
    names: list[str] = []
    while stack in node:
        stack, frame = node[stack]
        names.append(spelled.get(frame, "?"))
    return ";".join(reversed(names)) or "(no stack)"


def _write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
