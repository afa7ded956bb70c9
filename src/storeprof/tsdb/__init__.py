"""An embedded time-series engine; its files are described in docs/formats/tsdb.md. Imports the probe only."""

from storeprof.tsdb.files import CorruptionError, StorageError
from storeprof.tsdb.samples import Samples
from storeprof.tsdb.series import Matcher
from storeprof.tsdb.storage import StorageImpl, StorageOptions

__all__ = ["CorruptionError", "Matcher", "Samples", "StorageError", "StorageImpl", "StorageOptions"]
