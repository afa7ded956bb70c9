"""pprof's profile.proto, gzipped (github.com/google/pprof/blob/main/proto/profile.proto).

Each kind of time is a sample type of its own (`wall`, then `cpu`, `lock`, `gil` …), so that `pprof -sample_index=lock`
shows where locks are waited for. What a thread waited for is a label, not a frame: flat time stays with functions.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from datetime import datetime

from storeprof.exports.busy_time import BusyTime, Frame
from storeprof.exports.protobuf import message, number, packed

WALL = "wall"
# Fields of message Profile.
_SAMPLE_TYPE, _SAMPLE, _MAPPING, _LOCATION, _FUNCTION, _STRING = 1, 2, 3, 4, 5, 6
_TIME, _DURATION, _COMMENT, _DEFAULT = 9, 10, 13, 14
# The one mapping: names, files and lines are here already, so that nobody looks for them in a binary.
_PROGRAM = 1
_HAS_NAMES = (7, 8, 9)


class _Tables:
    """Strings, functions and locations, numbered as they come; string 0 is the empty one, the others begin at 1."""

    def __init__(self) -> None:
        self.strings: dict[str, int] = {"": 0}
        self.functions: dict[Frame, int] = {}
        self.locations: dict[Frame, int] = {}

    def string(self, value: str) -> int:
        return self.strings.setdefault(value, len(self.strings))

    def location(self, frame: Frame) -> int:
        self.functions.setdefault(frame.function, len(self.functions) + 1)
        return self.locations.setdefault(frame, len(self.locations) + 1)

    def messages(self) -> list[bytes]:
        parts = [
            message(
                _LOCATION,
                number(1, where),
                number(2, _PROGRAM),
                message(4, number(1, self.functions[frame.function]), number(2, frame.line or frame.first_line or 0)),
            )
            for frame, where in self.locations.items()
        ]
        for function, where in self.functions.items():
            name, file = self.string(function.name), self.string(function.file or "")
            parts.append(
                message(
                    _FUNCTION,
                    *(number(field, value) for field, value in ((1, where), (2, name), (3, name), (4, file))),
                    number(5, function.first_line or 0),
                )
            )
        return parts + [message(_STRING, value.encode("utf-8", "replace")) for value in self.strings]


def pprof(busy: BusyTime) -> bytes:
    """Busy wall time of all threads in ns, with labels for thread, state and operation."""
    tables = _Tables()
    kinds = [WALL, *busy.categories]
    unit = tables.string("nanoseconds")
    parts = [message(_SAMPLE_TYPE, number(1, tables.string(kind)), number(2, unit)) for kind in kinds]
    sums: dict[tuple[int, int, str, str | None], int] = defaultdict(int)
    for thread, stack, category, operation, weight_ns in busy.summed():
        sums[thread, stack, category, operation] += weight_ns
    for (thread, stack, category, operation), weight_ns in sums.items():
        locations = [tables.location(frame) for frame in reversed(busy.frames(stack, category))]
        values = [weight_ns if kind in (WALL, category) else 0 for kind in kinds]
        owner = busy.threads[thread]
        labels = {"thread": owner.label, "process": f"{owner.process} ({owner.pid})", "state": category}
        if operation:
            labels["operation"] = operation
        numbered = [(tables.string(key), tables.string(value)) for key, value in labels.items()]
        said = (message(3, number(1, key), number(2, value)) for key, value in numbered)
        parts.append(message(_SAMPLE, packed(1, locations), packed(2, values), *said))
    named = (number(field, 1) for field in _HAS_NAMES)
    parts += [
        message(_MAPPING, number(1, _PROGRAM), number(5, tables.string(busy.title)), *named),
        number(_TIME, _started_ns(busy)),
        number(_DURATION, busy.end_ns - busy.start_ns),
        number(_COMMENT, tables.string(f"storeprof: {busy.title}")),
        number(_DEFAULT, tables.string(WALL)),
        *tables.messages(),
    ]
    return gzip.compress(b"".join(parts), mtime=0)


def _started_ns(busy: BusyTime) -> int:
    """Start of the analysed window as Unix time; 0 (unknown to pprof) where the recording does not say."""
    meta = busy.context.recording.meta
    try:
        started = datetime.fromisoformat(meta["started_at"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return 0
    return int(started * 1e9) + busy.start_ns - int(meta["started_ns"])
