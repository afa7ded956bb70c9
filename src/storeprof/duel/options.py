"""What is to be measured in turn, as frozen objects."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from storeprof.collect.output_relay import OPS_PATTERN
from storeprof.compare.judgement import Thresholds

FRESH = "{dir}"


@dataclass(frozen=True)
class Version:
    """One side: a command, where and with which additions to the environment it runs.

    `{dir}` in the command stands for a folder that each process gets fresh and that goes when it ends.
    """

    name: str
    command: tuple[str, ...]
    cwd: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def argv(self, fresh: Path) -> list[str]:
        """The command with `fresh` in place of `{dir}`."""
        return [word.replace(FRESH, str(fresh)) for word in self.command]


@dataclass(frozen=True)
class DuelOptions:
    """A duel of two versions, kept in `folder`. `slices`: both speak the slice protocol; else whole runs alternate.

    `budget_s` is for the pairs; what explains the change comes after it. `most_pairs`: None for as many as fit.
    """

    folder: Path
    baseline: Version
    candidate: Version
    slices: bool = False
    budget_s: float = 180.0
    most_pairs: int | None = None
    seed: int = 1
    slices_per_pair: int = 200
    slice_s: float = 0.005
    timeout_s: float = 600.0
    ops_pattern: bytes = OPS_PATTERN
    thresholds: Thresholds = field(default_factory=Thresholds)
    explain: bool = True


class FreshFolder:
    """A folder for one process, empty at first, gone afterwards."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
