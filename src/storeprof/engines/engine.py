"""The narrow interface between the workload driver and a storage engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Engine(Protocol):
    """One engine on one directory. The three operations are called from several threads at once.

    Timestamps are nanoseconds; ranges hold `start` and not `end`. Results are for the engine's own users, the
    driver drops them.
    """

    def open(self, directory: Path) -> None:
        """Opens or creates the storage. Raises StoreprofError when that is impossible."""

    def write(self, labels: Mapping[str, str], timestamp: int, value: float, /) -> object:
        """Stores one sample of the series with these labels."""

    def read(self, labels: Mapping[str, str], start: int, end: int, /) -> object:
        """Samples of one series."""

    def query(self, conditions: Mapping[str, str], start: int, end: int, /) -> object:
        """Samples of all series that carry these labels among theirs."""

    def close(self) -> None:
        """Makes everything durable and gives the directory back."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What `--help` says about an engine, and how one is made; `make` takes settings by name, if any are asked for."""

    name: str
    description: str
    make: Callable[..., Engine]
