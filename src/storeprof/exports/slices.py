"""Samples as slices: frames that open and close along a thread's time, for viewers that draw a timeline.

A sample takes as long as its weight, right up to the moment it was seen; where weights exceed what is left, what
follows moves on by as much, so that sums stay those of the accounting. Neighbours share the frames they have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storeprof.exports.busy_time import BusyTime, Frame

# A shorter gap between two samples is jitter of the looks, not idle time.
GAP_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Edge:
    """A frame that opens or closes at a time in ns."""

    at_ns: int
    opens: bool
    frame: Frame


def edges(busy: BusyTime, thread: int) -> Iterator[Edge]:
    """Edges of one thread in order of time, properly nested; all that opens closes."""
    open_frames: list[Frame] = []
    cursor = float(busy.start_ns)
    for sample in busy.samples(thread):
        begins = sample.t_ns - sample.weight_ns
        if begins - cursor > GAP_NS:
            yield from _close(open_frames, 0, int(cursor))
            cursor = begins
        frames = busy.with_wait(sample.stack, sample.category)
        shared = _shared(open_frames, frames)
        yield from _close(open_frames, shared, int(cursor))
        for frame in frames[shared:]:
            open_frames.append(frame)
            yield Edge(int(cursor), True, frame)
        cursor += sample.weight_ns
    yield from _close(open_frames, 0, int(cursor))


def _shared(before: list[Frame], after: tuple[Frame, ...]) -> int:
    """How many frames two stacks share, from the root."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one is not other:
            break
        count += 1
    return count


def _close(open_frames: list[Frame], kept: int, at_ns: int) -> Iterator[Edge]:
    while len(open_frames) > kept:
        yield Edge(at_ns, False, open_frames.pop())
