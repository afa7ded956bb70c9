"""Perfetto's binary trace (protos/perfetto/trace/trace_packet.proto): track events on a track for each thread.

Times are the recording's own (CLOCK_MONOTONIC), so that a trace taken beside it lines up.
"""

from __future__ import annotations

from collections.abc import Iterator

from storeprof.exports.busy_time import BusyTime, Frame, Thread
from storeprof.exports.moments import memory_readings, operation_samples
from storeprof.exports.protobuf import message, number, text
from storeprof.exports.slices import edges

# Fields of TracePacket, TrackEvent and TrackDescriptor.
_PACKET = 1
_TIMESTAMP, _SEQUENCE, _TRACK_EVENT, _INTERNED, _SEQUENCE_FLAGS, _TRACK_DESCRIPTOR = 8, 10, 11, 12, 13, 60
_TYPE, _NAME_IID, _TRACK, _CATEGORY_IID, _COUNTER_VALUE, _SOURCE_LOCATION_IID = 9, 10, 11, 3, 30, 34
_UUID, _NAME, _PROCESS, _THREAD, _PARENT, _COUNTER = 1, 2, 3, 4, 5, 8
_BEGIN, _END, _COUNT = 1, 2, 4
_STATE_CLEARED, _NEEDS_STATE = 1, 2
_BYTES = 3
_CODE, _WAIT, _OPERATION = 1, 2, 3  # interned categories
_ONLY_SEQUENCE = 1


def perfetto(busy: BusyTime) -> bytes:
    """Busy wall time of each thread as nested slices, sampled operations on tracks of their own, memory as counters."""
    writer = _Writer(busy)
    packets = [*writer.head(), *writer.slices(), *writer.operations(), *writer.memory()]
    return b"".join(message(_PACKET, packet) for packet in packets)


class _Writer:
    """Packets of one sequence; names and places are interned when first used."""

    def __init__(self, busy: BusyTime) -> None:
        self._busy = busy
        self._names: dict[str, int] = {}
        self._places: dict[Frame, int] = {}
        self._tracks: dict[object, int] = {}

    def head(self) -> Iterator[bytes]:
        names = ((_CODE, "code"), (_WAIT, "wait"), (_OPERATION, "operation"))
        categories = (message(1, number(1, iid), text(2, name)) for iid, name in names)
        yield (
            number(_SEQUENCE, _ONLY_SEQUENCE)
            + number(_SEQUENCE_FLAGS, _STATE_CLEARED)
            + message(_INTERNED, *categories)
        )
        processes: set[int] = set()
        for thread in self._busy.busy_threads():
            owner = self._busy.threads[thread]
            if owner.pid not in processes:
                processes.add(owner.pid)
                said = message(_PROCESS, number(1, owner.pid), text(6, owner.process))
                yield self._track(("process", owner.pid), said)
            said = message(_THREAD, number(1, owner.pid), number(2, owner.tid), text(5, owner.name))
            yield self._track(("thread", owner.pid, owner.tid), said, parent=("process", owner.pid))

    def slices(self) -> Iterator[bytes]:
        for thread in self._busy.busy_threads():
            owner = self._busy.threads[thread]
            track = self._tracks["thread", owner.pid, owner.tid]
            for edge in edges(self._busy, thread):
                if edge.opens:
                    category = _CODE if edge.frame.file or not edge.frame.name.startswith("[") else _WAIT
                    yield self._begin(track, edge.at_ns, edge.frame, category)
                else:
                    yield self._event(edge.at_ns, number(_TYPE, _END), number(_TRACK, track))

    def operations(self) -> Iterator[bytes]:
        for sample in operation_samples(self._busy):
            owner = self._busy.threads[sample.thread]
            key = ("operations", owner.pid, owner.tid)
            if key not in self._tracks:
                yield self._track(key, text(_NAME, f"operations of {owner.label}"), parent=self._process_of(owner))
            track = self._tracks[key]
            yield self._begin(track, sample.start_ns, Frame(sample.name), _OPERATION)
            yield self._event(sample.start_ns + sample.duration_ns, number(_TYPE, _END), number(_TRACK, track))

    def memory(self) -> Iterator[bytes]:
        for reading in memory_readings(self._busy):
            key = ("memory", reading.pid)
            if key not in self._tracks:
                said = text(_NAME, "resident memory") + message(_COUNTER, number(3, _BYTES))
                process = ("process", reading.pid)
                yield self._track(key, said, parent=process if process in self._tracks else None)
            fields = (number(_TYPE, _COUNT), number(_TRACK, self._tracks[key]), number(_COUNTER_VALUE, reading.bytes))
            yield self._event(reading.t_ns, *fields)

    def _process_of(self, owner: Thread) -> tuple[str, int]:
        return ("process", owner.pid)

    def _track(self, key: object, said: bytes, parent: object = None) -> bytes:
        uuid = self._tracks[key] = len(self._tracks) + 1
        above = number(_PARENT, self._tracks[parent]) if parent else b""
        return number(_SEQUENCE, _ONLY_SEQUENCE) + message(_TRACK_DESCRIPTOR, number(_UUID, uuid), above, said)

    def _begin(self, track: int, at_ns: int, frame: Frame, category: int) -> bytes:
        interned = []
        if frame.name not in self._names:
            self._names[frame.name] = len(self._names) + 1
            interned.append(message(2, number(1, self._names[frame.name]), text(2, frame.name)))
        fields = [number(_TYPE, _BEGIN), number(_TRACK, track), number(_CATEGORY_IID, category)]
        fields.append(number(_NAME_IID, self._names[frame.name]))
        if frame.file:
            if frame not in self._places:
                self._places[frame] = len(self._places) + 1
                place = (number(1, self._places[frame]), text(2, frame.file), text(3, frame.name))
                interned.append(message(4, *place, number(4, frame.first_line or 0)))
            fields.append(number(_SOURCE_LOCATION_IID, self._places[frame]))
        said = message(_INTERNED, *interned) if interned else b""
        return said + self._event(at_ns, *fields)

    def _event(self, at_ns: int, *fields: bytes) -> bytes:
        return (
            number(_TIMESTAMP, max(0, at_ns))
            + number(_SEQUENCE, _ONLY_SEQUENCE)
            + number(_SEQUENCE_FLAGS, _NEEDS_STATE)
            + message(_TRACK_EVENT, *fields)
        )
