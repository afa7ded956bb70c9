"""Label sets and their numbers: the series log on disk, the index in memory, conditions on labels."""

import json
import re
import struct
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Literal
from zlib import crc32

from storeprof.tsdb.errors import CorruptionError, StorageError
from storeprof.tsdb.files import Files

Labels = Mapping[str, str]
NAME = "series.log"
MAGIC = b"STSSER\x01\x00"
_HEAD = struct.Struct("<III")  # CRC of the rest, length of the labels, series number


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on a label, as in Prometheus: `~` is about the whole value, a missing label is ""."""

    operator: Literal["=", "!=", "=~", "!~"]
    value: str

    def matches(self, value: str) -> bool:
        """Whether a label of this value fulfils the condition. Raises re.error for no regular expression."""
        same = re.fullmatch(self.value, value) is not None if "~" in self.operator else value == self.value
        return same is not self.operator.startswith("!")


Conditions = Mapping[str, str | Matcher]


class SeriesIndex:
    """Every series ever written. `_lock` guards the maps and the file's tail, `_sync_lock` orders syncs."""

    def __init__(self, files: Files) -> None:
        """Reads the log up to its first bad record; `settle` must follow. Raises CorruptionError, OSError."""
        self._lock, self._sync_lock = Lock(), Lock()
        self._numbers: dict[tuple[tuple[str, str], ...], int] = {}
        self.labels: list[dict[str, str]] = [{}]  # by number; there is no number 0
        self._by_label: defaultdict[str, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self._unsynced = True
        self._file = files.open(NAME, new=NAME not in files.names())
        data = self._file.read()
        self._good_until = len(MAGIC) if data.startswith(MAGIC) else 0
        if self._good_until == 0 and data[: len(MAGIC)].strip(b"\x00"):
            raise CorruptionError(NAME, 0, "not a series log of version 1")
        while self._good_until and self._load_record(data):
            pass
        self._torn = self._good_until < len(data)

    def settle(self, highest: int) -> None:
        """Cuts a torn tail off, given the highest series number that synced samples refer to.

        Series are synced before their samples, so a tail that is needed was whole once: CorruptionError.
        """
        if highest >= len(self.labels):
            raise CorruptionError(
                NAME, self._good_until, f"series {len(self.labels)} up to {highest} are missing"
            )
        if self._torn:
            self._file.cut(self._good_until)
        if self._good_until == 0:
            self._file.append(MAGIC)

    def add(self, labels: Labels) -> None:
        """Gives a label set a number, if it has none. Raises StorageError; after OSError the log is torn."""
        for name, value in labels.items():
            if not isinstance(name, str) or not isinstance(value, str) or not name:
                raise StorageError(f"label {name!r}={value!r}: both are strings, and the name is not empty")
        key = tuple(sorted(labels.items()))
        with self._lock:
            if key not in self._numbers:
                text = json.dumps(dict(key)).encode()
                record = _HEAD.pack(0, len(text), len(self.labels))[4:] + text
                self._file.append(crc32(record).to_bytes(4, "little") + record)
                self._unsynced = True
                self._enter(dict(key))

    def number(self, labels: Labels) -> int:
        """The number of this label set, 0 when it was never written."""
        return self._numbers.get(tuple(sorted(labels.items())), 0)

    def select(self, conditions: Conditions) -> list[int]:
        """Numbers of the series that fulfil every condition, in the order of their first samples."""
        with self._lock:
            chosen = set(range(1, len(self.labels)))
            for name, given in conditions.items():
                matcher = Matcher("=", given) if isinstance(given, str) else given
                values: Mapping[str, set[int]] = self._by_label.get(name, {})
                if matcher.operator == "=" and matcher.value:
                    chosen &= values.get(matcher.value, set())
                elif matcher.matches(""):
                    chosen.difference_update(
                        *(held for value, held in values.items() if not matcher.matches(value))
                    )
                else:
                    chosen &= set().union(*(held for value, held in values.items() if matcher.matches(value)))
            return sorted(chosen)

    def sync(self) -> None:
        """Returns when every series known on entry is durable. Raises OSError."""
        with self._sync_lock:
            if self._unsynced:
                self._unsynced = False
                self._file.sync()

    def _enter(self, labels: dict[str, str]) -> None:
        number = len(self.labels)
        self.labels.append(labels)
        for name, value in labels.items():
            self._by_label[name][value].add(number)
        self._numbers[tuple(labels.items())] = number

    def _load_record(self, data: bytes) -> bool:
        """Enters the record at `_good_until` and moves behind it; False when it isn't whole."""
        text = self._good_until + _HEAD.size
        if text > len(data):
            return False
        crc, length, number = _HEAD.unpack_from(data, self._good_until)
        if number != len(self.labels) or crc32(data[self._good_until + 4 : text + length]) != crc:
            return False
        self._enter(json.loads(data[text : text + length]))
        self._good_until = text + length
        return True
