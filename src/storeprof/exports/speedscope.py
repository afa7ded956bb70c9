"""speedscope's file format (https://www.speedscope.app/file-format-schema.json): an evented profile for each thread."""

from __future__ import annotations

import json
from typing import Any

from storeprof.exports.busy_time import BusyTime, Frame
from storeprof.exports.slices import edges

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def speedscope(busy: BusyTime) -> bytes:
    """Busy wall time of each thread along the time of the run, busiest thread first."""
    table: dict[int, tuple[int, Frame]] = {}  # by identity: a function is one object
    profiles = [_profile(busy, thread, table) for thread in busy.busy_threads()]
    document = {
        "$schema": SCHEMA,
        "name": busy.title,
        "exporter": "storeprof",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for _, frame in table.values()]},
        "profiles": profiles,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _profile(busy: BusyTime, thread: int, table: dict[int, tuple[int, Frame]]) -> dict[str, Any]:
    events = []
    last = 0
    for edge in edges(busy, thread):
        last = edge.at_ns - busy.start_ns
        number, _ = table.setdefault(id(edge.frame), (len(table), edge.frame))
        events.append({"type": "O" if edge.opens else "C", "frame": number, "at": last})
    owner = busy.threads[thread]
    return {
        "type": "evented",
        "name": f"{owner.process} {owner.pid}: {owner.label}",
        "unit": "nanoseconds",
        "startValue": min(0, events[0]["at"] if events else 0),
        "endValue": max(last, busy.end_ns - busy.start_ns),
        "events": events,
    }


def _frame(frame: Frame) -> dict[str, Any]:
    row: dict[str, Any] = {"name": frame.name}
    if frame.file:
        row["file"] = frame.file
    if frame.first_line:
        row["line"] = frame.first_line
    return row
