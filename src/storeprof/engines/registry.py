"""The engines that the workload driver knows, by name."""

from storeprof.engines import tsdb
from storeprof.engines.engine import EngineInfo
from storeprof.errors import UsageError

ENGINES: dict[str, EngineInfo] = {info.name: info for info in (tsdb.INFO,)}


def find_engine(name: str) -> EngineInfo:
    """The engine of that name. Raises UsageError, which names the known ones."""
    try:
        return ENGINES[name]
    except KeyError:
        raise UsageError(f"there is no engine {name!r}; known engines: {', '.join(sorted(ENGINES))}") from None
