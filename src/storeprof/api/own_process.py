"""`storeprof.recording`: record the running program itself, by a recorder beside it that attaches to it."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from storeprof.api.opened import Recording, open_path
from storeprof.collect.tool_process import BackgroundTool
from storeprof.errors import RecordingError, TargetError
from storeprof.recording.model import JOURNAL
from storeprof.recording.schema import JOURNAL_MAGIC
from storeprof.session.folder import default_folder

PR_SET_PTRACER = 0x59616D61
ATTACH_S = 20.0
FINISH_S = 120.0
PAUSE_S = 0.005


class OwnRecording:
    """A recording of this process while the `with` block runs; `recording` is what came of it.

    Everything is looked at from another process: what runs in the block pays what any recorded program pays.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, arguments: tuple[str, ...]) -> None:
        self.folder = Path(folder) if folder is not None else default_folder("python")
        self._arguments = arguments
        self._recorder: BackgroundTool | None = None
        self._said: Path | None = None
        self._opened: Recording | None = None

    def __enter__(self) -> OwnRecording:
        handle, name = tempfile.mkstemp(prefix="storeprof-", suffix=".log")
        os.close(handle)
        self._said = Path(name)
        command = (sys.executable, "-P", "-m", "storeprof", "record", "--pid", str(os.getpid()))
        self._recorder = BackgroundTool((*command, "--out", str(self.folder), *self._arguments), self._said)
        # Where Yama lets only parents look into a process, this child may look into its parent, too.
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, self._recorder.pid, 0, 0, 0)
        try:
            self._wait_until_attached()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def recording(self) -> Recording:
        """The finished recording.

        Raises RecordingError while the block still runs, or when nothing came of it.
        """
        if self._recorder is not None:
            raise RecordingError(f"{self.folder}: still being recorded; ask after the `with` block")
        if self._opened is None:
            self._opened = open_path(self.folder)
        return self._opened

    def _wait_until_attached(self) -> None:
        assert self._recorder is not None
        journal = self.folder / JOURNAL
        deadline = time.monotonic() + ATTACH_S
        while not (journal.exists() and journal.stat().st_size > len(JOURNAL_MAGIC)):
            if not self._recorder.running():
                raise TargetError(self._last_line() or "the recorder ended without a word; run `storeprof record`")
            if time.monotonic() > deadline:
                raise TargetError(f"the recorder did not attach within {ATTACH_S:.0f} s; is the machine overloaded?")
            time.sleep(PAUSE_S)

    def _last_line(self) -> str:
        assert self._said is not None
        lines = self._said.read_text(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("storeprof: ") if lines else ""

    def _stop(self) -> None:
        if self._recorder is not None:
            self._recorder.stop(FINISH_S)
            self._recorder = None
        if self._said is not None:
            self._said.unlink(missing_ok=True)
            self._said = None


def recording(
    folder: str | os.PathLike[str] | None = None,
    *,
    overhead_budget: float = 1.0,
    perf: bool = True,
    subprocesses: bool = False,
) -> OwnRecording:
    """Record this process: `with storeprof.recording("out") as run: ...`, then `run.recording`.

    `folder` is new or empty (default: ./storeprof-runs/TIME-python). `overhead_budget`: percent of the usable CPUs that
    the observer may use; `perf`: whether perf runs beside it; `subprocesses`: whether children are observed, too.
    Entering raises TargetError when the recorder can't attach. Use it from the main thread.
    """
    arguments = ["--overhead-budget", str(overhead_budget)]
    arguments += [] if perf else ["--no-perf"]
    arguments += ["--subprocesses"] if subprocesses else []
    return OwnRecording(folder, tuple(arguments))
