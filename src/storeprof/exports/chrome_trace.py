"""Chrome's Trace Event Format as JSON, for chrome://tracing, Perfetto and what else reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from storeprof.exports.busy_time import BusyTime
from storeprof.exports.moments import memory_readings, operation_samples
from storeprof.exports.slices import Edge, edges

Event = dict[str, Any]


def chrome_trace(busy: BusyTime) -> bytes:
    """Busy wall time of each thread as nested slices; sampled operations as asynchronous ones; memory as a counter.

    Times are microseconds since the start of the analysed window.
    """
    events = [*_names(busy), *_slices(busy), *_operations(busy), *_memory(busy)]
    document = {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"exporter": "storeprof", "recorded": busy.title},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _names(busy: BusyTime) -> Iterator[Event]:
    named = set()
    for thread in busy.busy_threads():
        owner = busy.threads[thread]
        if owner.pid not in named:
            named.add(owner.pid)
            yield {"ph": "M", "name": "process_name", "pid": owner.pid, "tid": 0, "args": {"name": owner.process}}
        yield {"ph": "M", "name": "thread_name", "pid": owner.pid, "tid": owner.tid, "args": {"name": owner.name}}


def _slices(busy: BusyTime) -> Iterator[Event]:
    for thread in busy.busy_threads():
        owner = busy.threads[thread]
        opened: list[Edge] = []
        for edge in edges(busy, thread):
            if edge.opens:
                opened.append(edge)
                continue
            begin = opened.pop()
            frame = begin.frame
            event: Event = {"ph": "X", "name": frame.name, "cat": "wait" if _is_wait(frame.name) else "code"}
            event |= {"pid": owner.pid, "tid": owner.tid, "ts": _us(busy, begin.at_ns)}
            event["dur"] = (edge.at_ns - begin.at_ns) / 1000
            if frame.file:
                event["args"] = {"place": f"{frame.file}:{frame.first_line or '?'}"}
            yield event


def _operations(busy: BusyTime) -> Iterator[Event]:
    for number, sample in enumerate(operation_samples(busy), start=1):
        owner = busy.threads[sample.thread]
        both = {"cat": "operation", "id": number, "name": sample.name, "pid": owner.pid, "tid": owner.tid}
        yield {"ph": "b", **both, "ts": _us(busy, sample.start_ns)}
        yield {"ph": "e", **both, "ts": _us(busy, sample.start_ns + sample.duration_ns)}


def _memory(busy: BusyTime) -> Iterator[Event]:
    for reading in memory_readings(busy):
        yield {
            "ph": "C", "name": "resident memory", "pid": reading.pid, "tid": 0, "ts": _us(busy, reading.t_ns),
            "args": {"bytes": reading.bytes},
        }  # fmt: skip


def _is_wait(name: str) -> bool:
    return name.startswith("[")


def _us(busy: BusyTime, t_ns: int) -> float:
    return (t_ns - busy.start_ns) / 1000
