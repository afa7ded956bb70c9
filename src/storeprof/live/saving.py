"""A recording saved from the live view: a recorder of its own beside it, as `storeprof record --pid` would be."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from storeprof.collect.tool_process import BackgroundTool
from storeprof.session.folder import default_folder

FINISH_S = 120.0


class Saving:
    """A recording being made of a process, from its construction until `finish`."""

    def __init__(self, pid: int, label: str, children: bool) -> None:
        self.folder = default_folder(label)
        handle, name = tempfile.mkstemp(prefix="storeprof-", suffix=".log")
        os.close(handle)
        self._said = Path(name)
        command = (sys.executable, "-P", "-m", "storeprof", "record", "--pid", str(pid), "--out", str(self.folder))
        self._recorder = BackgroundTool((*command, *(["--subprocesses"] if children else [])), self._said)

    def running(self) -> bool:
        """Whether the recorder is still there; it ends by itself with the program."""
        return self._recorder.running()

    def finish(self) -> str:
        """End it and wait for the tables; returns the line that says where it is, or what went wrong."""
        self._recorder.stop(FINISH_S)
        lines = self._said.read_text(errors="replace").strip().splitlines() if self._said.exists() else []
        self._said.unlink(missing_ok=True)
        return lines[-1] if lines else f"recording: {self.folder}"
