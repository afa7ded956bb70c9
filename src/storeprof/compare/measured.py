"""`Measured`: what a comparison needs of one side, small enough to keep as a baseline (docs/formats/baseline.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storeprof.compare.metrics import Key, is_known
from storeprof.errors import RecordingError

FORMAT = 1
Document = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run: figures by metric, and when it was (CLOCK_MONOTONIC).

    `operations`: how many of each kind, where probes counted them, and under None of all that these are parts of. A
    baseline does not keep them.
    """

    values: Mapping[Key, float]
    started_ns: int
    ended_ns: int
    operations: Mapping[str | None, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """Busy wall time per operation that one place took for one reason; `function` is None where no place is known."""

    category: str
    function: str | None
    file: str | None
    line: int | None
    resource: str | None
    seconds: float


@dataclass(frozen=True)
class Measured:
    """One side of a comparison: its runs, what they were of, where their time went, and what was found.

    `about`: command, engine, workload, threads, seed, versions, machine. `costs`: means over the runs, in seconds per
    operation. `findings`: of the findings document, those that are more than a notice.
    """

    name: str
    about: Document
    runs: tuple[Run, ...]
    costs: tuple[Cost, ...]
    findings: tuple[Document, ...]

    def as_document(self) -> Document:
        """As docs/formats/baseline.md has it."""
        return {
            "format": FORMAT,
            "name": self.name,
            "about": self.about,
            "runs": [
                {
                    "started_ns": run.started_ns,
                    "ended_ns": run.ended_ns,
                    "values": [
                        {"name": name, "operation": operation, "value": value}
                        for (name, operation), value in run.values.items()
                    ],
                }
                for run in self.runs
            ],
            "costs": [
                {
                    "category": cost.category, "function": cost.function, "file": cost.file, "line": cost.line,
                    "resource": cost.resource, "seconds": cost.seconds,
                }
                for cost in self.costs
            ],
            "findings": list(self.findings),
        }  # fmt: skip


def measured_from(document: Document, where: str) -> Measured:
    """Read what `as_document` made. Raises RecordingError when it is damaged or of a later format."""
    try:
        if int(document["format"]) > FORMAT:
            raise RecordingError(f"{where}: made by a newer storeprof (format {document['format']}); upgrade storeprof")
        return Measured(
            name=str(document["name"]),
            about=_about(document["about"]),
            runs=_runs(document["runs"]),
            costs=tuple(
                Cost(row["category"], row["function"], row["file"], row["line"], row["resource"], float(row["seconds"]))
                for row in document["costs"]
            ),
            findings=tuple(_finding(row) for row in document["findings"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{where}: damaged ({error!r}); save the baseline again") from None


def _about(about: Document) -> Document:
    if not isinstance(about["machine"], dict):
        raise TypeError("machine")
    return dict(about)


def _finding(row: Document) -> Document:
    """A finding with all that the predictions read."""
    row["id"], row["kind"], row["where"]["function"]
    row["impact"]["basis"], row["impact"]["speedup_if_fixed"], row["impact"]["ci"]
    return row


def _runs(rows: Sequence[Document]) -> tuple[Run, ...]:
    runs = tuple(_run(row) for row in rows)
    if not runs or not all(math.isfinite(value) for run in runs for value in run.values.values()):
        raise ValueError("no figures")
    return runs


def _run(row: Document) -> Run:
    cells = [((cell["name"], cell["operation"]), cell["value"]) for cell in row["values"] if is_known(cell["name"])]
    return Run(
        values={key: float(value) for key, value in cells},
        started_ns=int(row["started_ns"]),
        ended_ns=int(row["ended_ns"]),
    )


def mean_costs(runs: Sequence[Sequence[Cost]]) -> tuple[Cost, ...]:
    """Costs of several runs, place by place, as means over the runs; largest first."""
    sums: dict[tuple[str, str | None, str | None], Cost] = {}
    for costs in runs:
        for cost in costs:
            key = cost.category, cost.function, cost.resource
            seen = sums.get(key)
            seconds = cost.seconds / len(runs) + (seen.seconds if seen else 0.0)
            sums[key] = Cost(cost.category, cost.function, cost.file, cost.line, cost.resource, seconds)
    return tuple(sorted(sums.values(), key=lambda cost: -cost.seconds))
