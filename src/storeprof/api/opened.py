"""`storeprof.open`: the one Recording object, with its findings, its report and its exports."""

from __future__ import annotations

import io
import os
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from storeprof.analysis.context import build_context
from storeprof.analysis.settings import Settings
from storeprof.api.results import Covered, Finding, Operation, covered_of, finding_of, operation_of
from storeprof.errors import RecordingError, UsageError
from storeprof.exports.busy_time import BusyTime
from storeprof.exports.formats import FORMATS, STACK_FORMATS
from storeprof.exports.markdown import markdown
from storeprof.recording import model
from storeprof.session.documents import document_of
from storeprof.session.finish import open_recording
from storeprof.session.runs import is_series, runs_of


class Recording(model.Recording):
    """A recording: `meta` is its recording.json, `sql` asks its tables; what is found in it is found when asked for."""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The findings document, as `storeprof analyze --json` prints it."""
        return document_of(self)

    @property
    def verdict(self) -> str:
        """`bottleneck`, `no-bottleneck` or `inconclusive`."""
        return str(self.document["verdict"])

    @property
    def summary(self) -> str:
        """One sentence to act on."""
        return str(self.document["summary"])

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, largest gain first."""
        return tuple(finding_of(row) for row in self.document["findings"])

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """The program's operations, with rate and percentiles; empty where they are not known."""
        return tuple(operation_of(row) for row in self.document["operations"])

    @property
    def wall_time(self) -> dict[str, float]:
        """Shares of busy wall time; they add up to one."""
        return dict(self.document["wall_time"])

    @cached_property
    def coverage(self) -> tuple[Covered, ...]:
        """What was looked for, and what was not."""
        return tuple(covered_of(row) for row in self.document["coverage"])

    def report(self, stream: TextIO | None = None) -> str:
        """The report for people, also written to `stream` where one is given."""
        from storeprof.report.terminal import print_report

        text = io.StringIO()
        print_report(self.document, text)
        if stream is not None:
            print_report(self.document, stream)
        return text.getvalue()

    def export(self, format: str) -> bytes:
        """The recording as `speedscope`, `perfetto`, `chrome`, `pprof`, `collapsed` or `markdown`.

        Raises UsageError for another format.
        """
        if format == "markdown":
            return markdown(self.document)
        if format not in STACK_FORMATS:
            raise UsageError(f"no export format {format!r}; the formats are {', '.join(FORMATS)}")
        return STACK_FORMATS[format](BusyTime(build_context(self, Settings())))


def open_path(path: str | os.PathLike[str]) -> Recording:
    """Open a recording; one that was cut short is finished first.

    Raises RecordingError when it is missing, damaged, of a later format, still being made, or a series of runs.
    """
    folder = Path(path)
    if is_series(folder):
        raise RecordingError(f"{folder}: holds several runs; open one of them, as {runs_of(folder)[0][1]}")
    found = open_recording(folder)
    return Recording(found.folder, found.meta)
