"""What is done when the observer can't read Python stacks: py-spy beside the program, or a reason and a remedy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storeprof.collect.collector import Availability, Context
from storeprof.collect.py_spy import USE_SUPPORTED, PySpy, PySpyOptions, complaint
from storeprof.collect.tool_process import BackgroundTool
from storeprof.errors import CollectorError
from storeprof.observe.permission import Refusal, refusal
from storeprof.observe.python_runtime import NOT_PERMITTED
from storeprof.recording.environment import children_cpu_s

PY_SPY_TRACE = Path("raw") / "py-spy.json"


class PythonFallback:
    """Does nothing as long as the observer reads Python stacks itself, or finds no Python."""

    def __init__(self, folder: Path, pid: int) -> None:
        self._options = PySpyOptions(pid, folder / PY_SPY_TRACE)
        self._tool: BackgroundTool | None = None
        self._found: Availability | None = None
        self._refusal: Refusal | None = None
        self._started_ns = 0
        self._why = ""
        self.cpu_s = 0.0

    def update(self, python: Mapping[str, Any]) -> None:
        """Start py-spy, once, when the observer's `python` figures say that it has refused this interpreter.

        Where memory may not be read, py-spy could not read it either.
        """
        if self._found is not None or self._refusal is not None or python["status"] != "refused":
            return
        why = self._why = str(python["why"])
        if why.startswith(NOT_PERMITTED):
            self._refusal = refusal(self._options.pid)
            return
        self._found = PySpy().available(Context(target_pid=self._options.pid))
        if not self._found.ok:
            reason = f"{why}, and {self._found.reason}"
            self._found = Availability(False, reason, self._found.remedy)
            return
        self._options.output.parent.mkdir(exist_ok=True)
        self._started_ns = time.monotonic_ns()
        try:
            self._tool = BackgroundTool(PySpy().command(self._options), self._options.output.with_suffix(".stderr"))
        except CollectorError as error:
            self._found = Availability(False, f"{why}, and {error}", USE_SUPPORTED)

    def stop(self) -> None:
        """Let py-spy write its trace."""
        if self._tool is None:
            return
        before = children_cpu_s()
        status = self._tool.stop()
        self.cpu_s = round(children_cpu_s() - before, 4)
        if status != 0 or not self._options.output.exists():
            reason = f"{self._why}, and py-spy failed: {complaint(self._tool.stderr(), status)}"
            self._found = Availability(False, reason, USE_SUPPORTED)
        self._tool = None

    def completed(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The collectors' rows of recording.json: the observer's says what it may not see; with py-spy's if needed."""
        found, refused = self._found, self._refusal
        if refused is not None:
            words = {"reason": f"{NOT_PERMITTED}: {refused.reason}", "remedy": refused.remedy}
            rows = [{**row, **words} if row["name"] == "observer" else row for row in rows]
        if found is None:
            return rows
        row = {"name": "py-spy", "ran": found.ok, "reason": found.reason, "remedy": found.remedy}
        return [*rows, {**row, "started_ns": self._started_ns} if found.ok else row]
