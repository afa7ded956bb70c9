"""`storeprof.tsdb` as an engine under study."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from storeprof.engines.engine import EngineInfo
from storeprof.errors import UsageError
from storeprof.tsdb import StorageError, StorageImpl, StorageOptions


class TsdbEngine:
    """The operations are the storage's own methods: the adapter costs nothing and shows in no profile."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        """`settings`: fields of StorageOptions by name. Raises UsageError, which names the known ones."""
        self._options = _options(settings or {})

    def open(self, directory: Path) -> None:
        """Opens the storage. Raises UsageError."""
        try:
            storage = StorageImpl.open(directory, self._options)
        except (StorageError, OSError) as error:
            raise UsageError(f"tsdb can't open {directory}: {error}") from error
        self.write = storage.write
        self.read = storage.read
        self.query = storage.query
        self.close = storage.close


def _options(settings: Mapping[str, str]) -> StorageOptions:
    defaults = StorageOptions()
    known = {field.name: type(getattr(defaults, field.name)) for field in fields(StorageOptions)}
    for name in settings:
        if name not in known:
            raise UsageError(f"tsdb has no setting {name!r}; its settings: {', '.join(known)}")
    if settings.get("sync", "always") not in ("interval", "always"):
        raise UsageError(f"sync={settings['sync']}: it is interval or always")
    try:
        return StorageOptions(**{name: known[name](value) for name, value in settings.items()})
    except ValueError as error:
        raise UsageError(f"a setting of tsdb can't be read: {error}") from None


INFO = EngineInfo("tsdb", "the embedded time-series engine that comes with storeprof", TsdbEngine)
