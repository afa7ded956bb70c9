"""`storeprof.tsdb` as an engine under study."""

from pathlib import Path

from storeprof.engines.engine import EngineInfo
from storeprof.errors import UsageError
from storeprof.tsdb import StorageError, StorageImpl


class TsdbEngine:
    """The operations are the storage's own methods: the adapter costs nothing and shows in no profile."""

    def open(self, directory: Path) -> None:
        """Opens the storage with its default options. Raises UsageError."""
        try:
            storage = StorageImpl.open(directory)
        except (StorageError, OSError) as error:
            raise UsageError(f"tsdb can't open {directory}: {error}") from error
        self.write = storage.write
        self.read = storage.read
        self.query = storage.query
        self.close = storage.close


INFO = EngineInfo("tsdb", "the embedded time-series engine that comes with storeprof", TsdbEngine)
