"""The one thread of the engine: syncs by the clock and does the jobs it is given."""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from storeprof.probe import profile_function

Job = Callable[[], None]


class BackgroundProcessor:
    """Runs jobs in their order, and `sync` once `interval_s` has passed since the last; no job may raise."""

    def __init__(self, sync: Job, interval_s: float) -> None:
        self._sync, self._interval_s = sync, interval_s
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self.submit = self._queue.put  # None ends the thread, after the jobs before it
        self.thread = Thread(target=self._run, name="tsdb-background", daemon=True)
        self.thread.start()

    @profile_function
    def process(self, job: Job) -> None:
        """Runs one job."""
        job()

    def _run(self) -> None:
        due = monotonic() + self._interval_s
        while True:
            with suppress(Empty):
                job = self._queue.get(timeout=max(0.0, due - monotonic()))
                if job is None:
                    return
                self.process(job)
            if monotonic() >= due:  # also behind a job: a queue that never empties must not delay the sync
                self.process(self._sync)
                due = monotonic() + self._interval_s
