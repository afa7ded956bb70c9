"""The one thread of the engine: syncs by the clock, flushes sealed generations, keeps the files within their limit."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from storeprof.probe import profile_function


class Job(Enum):
    """What the thread can be asked to do."""

    SYNC = "sync"
    FLUSH = "flush"
    STOP = "stop"


class BackgroundProcessor:
    """Runs jobs in their order, and SYNC whenever `interval_s` has passed since the last one.

    An exception of a job goes to `failed`, which must not raise; the thread goes on, so that `stop` always works.
    """

    def __init__(
        self, jobs: dict[Job, Callable[[], None]], interval_s: float, failed: Callable[[Exception], None]
    ) -> None:
        self._jobs = jobs
        self._interval_s = interval_s
        self._failed = failed
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._thread = Thread(target=self._run, name="tsdb-background", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Puts a job behind those waiting."""
        self._queue.put(job)

    def stop(self) -> None:
        """Returns when every job submitted before is done and the thread has ended."""
        self._queue.put(Job.STOP)
        self._thread.join()

    @profile_function
    def process(self, job: Job) -> None:
        """Runs one job."""
        try:
            self._jobs[job]()
        except Exception as error:
            self._failed(error)

    def _run(self) -> None:
        due = monotonic() + self._interval_s
        while True:
            try:
                job = self._queue.get(timeout=max(0.0, due - monotonic()))
            except Empty:
                job = Job.SYNC
            if job is Job.STOP:
                return
            self.process(job)
            if (
                job is not Job.SYNC and monotonic() >= due
            ):  # a queue that never empties must not delay the sync
                self.process(job := Job.SYNC)
            if job is Job.SYNC:
                due = monotonic() + self._interval_s
