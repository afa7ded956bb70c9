"""An embedded time-series engine: label sets, a write-ahead log, compressed blocks, two levels of cache.

    with StorageImpl.open("data") as storage:
        storage.write({"host": "a", "metric": "cpu"}, 1_700_000_000_000_000_000, 0.25)
        for series in storage.query({"host": not_equal("b")}, start, end):
            print(series.labels, series.samples.values)

The files are described in docs/formats/tsdb.md. The package imports the probe and nothing else of storeprof.
"""

from storeprof.tsdb.errors import (
    CorruptionError,
    InvalidSample,
    StorageClosed,
    StorageError,
    StorageFailed,
    StorageLocked,
)
from storeprof.tsdb.matchers import Matcher, equal, not_equal, regex
from storeprof.tsdb.samples import Samples
from storeprof.tsdb.storage import SeriesSamples, StorageImpl, StorageOptions

__all__ = [
    "CorruptionError",
    "InvalidSample",
    "Matcher",
    "Samples",
    "SeriesSamples",
    "StorageClosed",
    "StorageError",
    "StorageFailed",
    "StorageImpl",
    "StorageLocked",
    "StorageOptions",
    "equal",
    "not_equal",
    "regex",
]
