"""Planted programs: where they lie, how they are started, and what is true of them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases"
# Two runs in turn tell a share no better than this.
SHARE_NOISE = 0.03


@dataclass(frozen=True)
class Truth:
    """What is true of a program by construction and by measurement.

    `kinds` and `places` are alternatives; shares are fractions of the denominator that the kind has (CPU time for
    cpu-hotspot, busy wall for waits). `speedup` is the throughput without the plant over that with it. Both are None
    where they depend on the machine. `needs_cores` says how many free cores the speedup needs to show.
    `saves_share`: removing the plant removes the cost and nothing else, so the share follows from the speedup; what
    a page fault or a collection costs beside a computation differs by a factor of two between machines.
    """

    verdict: str
    kinds: tuple[str, ...]
    places: tuple[str, ...]
    share: tuple[float, float] | None
    share_by_kind: dict[str, tuple[float, float]]
    speedup: float | None
    leak_bytes_per_s: float | None
    needs_cores: int
    saves_share: bool

    def share_of(self, kind: str, speedup: float | None = None) -> tuple[float, float] | None:
        """The range of the true share for a finding of this kind; `speedup` is what was measured on this machine."""
        if self.saves_share and speedup and kind not in self.share_by_kind:
            saved = 1 - 1 / speedup
            return saved - SHARE_NOISE, saved + SHARE_NOISE
        return self.share_by_kind.get(kind, self.share)


@dataclass(frozen=True)
class Case:
    """One planted program; `command` and `build` run in its folder."""

    name: str
    folder: Path
    title: str
    command: tuple[str, ...]
    build: str | None
    language: str
    tags: frozenset[str]
    truth: Truth

    @property
    def healthy(self) -> bool:
        """Whether nothing is planted."""
        return self.truth.verdict == "no-bottleneck"


def load(folder: Path) -> Case:
    """The case in a folder; KeyError names what its case.toml lacks."""
    told = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    truth = told["truth"]
    return Case(
        name=folder.name,
        folder=folder,
        title=told["title"],
        command=tuple(told["command"]),
        build=told.get("build"),
        language=told["language"],
        tags=frozenset(told["tags"]),
        truth=Truth(
            verdict=truth["verdict"],
            kinds=tuple(truth.get("kind", ())),
            places=tuple(truth.get("where_any", ())),
            share=tuple(truth["share_range"]) if "share_range" in truth else None,
            share_by_kind={kind: tuple(span) for kind, span in truth.get("share_range_by_kind", {}).items()},
            speedup=truth.get("true_speedup"),
            leak_bytes_per_s=truth.get("leak_bytes_per_s"),
            needs_cores=truth.get("needs_cores", 0),
            saves_share=truth.get("saves_share", False),
        ),
    )


def find(corpus: Path, only: Sequence[str] = (), without: Sequence[str] = ()) -> list[Case]:
    """All cases of a folder by name; `only` and `without` are beginnings of names."""
    folders = sorted(path.parent for path in corpus.glob("*/case.toml"))
    if only:
        folders = [folder for folder in folders if folder.name.startswith(tuple(only))]
    return [load(folder) for folder in folders if not (without and folder.name.startswith(tuple(without)))]
