"""Label sets and their numbers: the series log on disk and the index over labels in memory."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Mapping
from threading import Lock
from zlib import crc32

from storeprof.tsdb.errors import CorruptionError, InvalidSample
from storeprof.tsdb.files import Files
from storeprof.tsdb.matchers import Conditions, as_matcher

Labels = Mapping[str, str]
NAME = "series.log"
MAGIC = b"STSSER\x01\x00" + bytes(8)
_CRC = struct.Struct("<I")
_HEAD = struct.Struct("<II")  # length of the labels, series number


class SeriesIndex:
    """Every series ever written. `_lock` guards the maps and the file's tail, `_sync_lock` orders syncs."""

    def __init__(self, files: Files) -> None:
        """Reads the log up to its first bad record; `settle` must follow. Raises CorruptionError, OSError."""
        self._lock = Lock()
        self._sync_lock = Lock()
        self._numbers: dict[tuple[tuple[str, str], ...], int] = {}
        self._labels: list[dict[str, str]] = [{}]  # by number; there is no number 0
        self._by_label: defaultdict[str, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self._unsynced = True
        self._torn_at: int | None = None
        if NAME in files.names():
            self._file = files.open(NAME)
            self._load(self._file.read(0, self._file.size()))
        else:
            self._file = files.create(NAME)
            self._file.append(MAGIC)

    def __len__(self) -> int:
        return len(self._labels) - 1

    def settle(self, highest: int) -> None:
        """Cuts a torn tail off, given the highest series number that synced samples refer to.

        Series are synced before their samples, so a tail that is needed was whole once: CorruptionError.
        """
        if highest >= len(self._labels):
            at = self._file.size() if self._torn_at is None else self._torn_at
            raise CorruptionError(
                NAME, at, f"no record of series {len(self._labels)}, and {highest} has samples"
            )
        if self._torn_at is not None:
            self._file.cut(self._torn_at)
            if self._torn_at == 0:
                self._file.append(MAGIC)

    def number(self, labels: Labels) -> int:
        """The number of this label set, a new one when it was never seen. Raises InvalidSample, OSError."""
        for name, value in labels.items():
            if not isinstance(name, str) or not isinstance(value, str) or not name:
                raise InvalidSample(
                    f"label {name!r}={value!r}: names and values are strings, a name has a letter"
                )
        key = tuple(sorted(labels.items()))
        with self._lock:
            found = self._numbers.get(key)
            if found is None:
                found = len(self._labels)
                text = json.dumps(dict(key), ensure_ascii=False).encode()
                body = _HEAD.pack(len(text), found) + text
                self._file.append(_CRC.pack(crc32(body)) + body)
                self._unsynced = True
                self._enter(dict(key))
            return found

    def find(self, labels: Labels) -> int | None:
        """The number of this label set, None when it was never written."""
        return self._numbers.get(tuple(sorted(labels.items())))

    def labels(self, number: int) -> dict[str, str]:
        """The label set of a series; the caller may keep and change it."""
        return dict(self._labels[number])

    def select(self, conditions: Conditions) -> list[int]:
        """Numbers of the series that fulfil every condition, in the order they were first written."""
        with self._lock:
            chosen = set(range(1, len(self._labels)))
            for name, condition in conditions.items():
                matcher = as_matcher(condition)
                values = self._by_label.get(name, {})
                if matcher.value:
                    chosen &= values.get(matcher.value, set())
                    continue
                # Taking away what fails keeps series without the label exactly when "" matches.
                if not matcher.matches(""):
                    chosen.intersection_update(set().union(*values.values()))
                for value, members in values.items():
                    if not matcher.matches(value):
                        chosen -= members
            return sorted(chosen)

    def sync(self) -> None:
        """Returns when every series known on entry is durable. Raises OSError."""
        with self._sync_lock:
            if self._unsynced:
                self._unsynced = False
                self._file.sync()

    def _enter(self, labels: dict[str, str]) -> None:
        number = len(self._labels)
        self._labels.append(labels)
        for name, value in labels.items():
            self._by_label[name][value].add(number)
        self._numbers[tuple(labels.items())] = number

    def _load(self, data: bytes) -> None:
        if len(data) < len(MAGIC) or not data.strip(b"\x00"):
            self._torn_at = 0
            return
        if data[: len(MAGIC)] != MAGIC:
            raise CorruptionError(NAME, 0, "not a series log of version 1")
        offset = len(MAGIC)
        while offset < len(data):
            labels, end = _record(data, offset, len(self._labels))
            if labels is None:
                self._torn_at = offset
                return
            self._enter(labels)
            offset = end


def _record(data: bytes, offset: int, expected: int) -> tuple[dict[str, str] | None, int]:
    """The labels at `offset` and where their record ends; None when it isn't whole."""
    body = offset + _CRC.size
    text = body + _HEAD.size
    if text > len(data):
        return None, len(data)
    length, number = _HEAD.unpack_from(data, body)
    end = text + length
    if end > len(data):
        return None, len(data)
    if crc32(data[body:end]) != _CRC.unpack_from(data, offset)[0] or number != expected:
        return None, end
    labels: dict[str, str] = json.loads(data[text:end])
    return labels, end
