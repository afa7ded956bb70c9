"""The one thread of the engine: syncs by the clock and does the jobs it is given."""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread

from storeprof.probe import profile_function
from storeprof.tsdb.files import StorageError


class BackgroundProcessor:
    """Runs jobs in their order, and `sync` after each and when there was none for `interval_s`."""

    def __init__(self, sync: Callable[[], object], interval_s: float) -> None:
        self._sync, self._interval_s = sync, interval_s
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.submit = self._queue.put  # None ends the thread, after the jobs before it
        self.thread = Thread(target=self._run, name="tsdb-background", daemon=True)
        self.thread.start()

    @profile_function
    def process(self, job: Callable[[], object]) -> None:
        """Runs one job, which may raise StorageError: the storage keeps it for its callers."""
        with suppress(StorageError):
            job()

    def _run(self) -> None:
        while True:
            with suppress(Empty):
                job = self._queue.get(timeout=self._interval_s)
                if job is None:
                    return
                self.process(job)
            self.process(self._sync)  # behind each job too: a queue that never empties must not delay it
