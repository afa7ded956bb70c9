"""Several threads at once."""

from threading import Barrier, Thread

import pytest
from storage_bench import ALL, contents

from storeprof.tsdb import StorageImpl, StorageOptions

WRITERS = 4


def run_together(*functions):
    """Runs the functions in threads that begin together; raises what one of them raised."""
    barrier = Barrier(len(functions))
    errors = []

    def run(function):
        barrier.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def write_own(storage, writer, samples):
    """Writes this writer's samples, partly into a series that all share."""
    for number in range(samples):
        labels = {"writer": "all" if number % 3 == 0 else str(writer)}
        storage.write(labels, number * WRITERS + writer, float(writer))


@pytest.mark.parametrize(("sync", "samples"), [("interval", 3000), ("always", 60)])
def test_no_sample_of_any_writer_is_lost(tmp_path, sync, samples):
    """Writers, readers and flushes at once: every acknowledged sample is found, also after reopening."""
    options = StorageOptions(sync=sync, wal_bytes=64 + 24 * 2 * samples // 3, sync_interval_s=0.01)
    expected = WRITERS * samples
    with StorageImpl.open(tmp_path, options) as storage:
        done = []

        def writer(number):
            write_own(storage, number, samples)
            done.append(number)

        def reader():
            least = 0
            while len(done) < WRITERS:
                found = len(storage.read({"writer": "all"}, *ALL).timestamps)
                assert found >= least, "a sample that was there is gone"
                least = found

        def flusher():
            while len(done) < WRITERS:
                storage.flush()

        run_together(*(lambda number=number: writer(number) for number in range(WRITERS)), reader, flusher)
        assert len(contents(storage)) == expected
    with StorageImpl.open(tmp_path, options) as storage:
        assert len(contents(storage)) == expected


def test_new_series_at_once_get_one_number(tmp_path):
    """Threads that write the same new label sets at once make each series once."""
    with StorageImpl.open(tmp_path) as storage:

        def write(thread):
            for number in range(300):
                storage.write({"series": str(number)}, thread, 1.0)

        run_together(*(lambda thread=thread: write(thread) for thread in range(4)))
        found = storage.query({}, *ALL)
        assert len(found) == 300
        assert all(samples.timestamps.tolist() == [0, 1, 2, 3] for _, samples in found)


def test_writes_while_closing_are_stored_or_refused(tmp_path):
    """A write that races with close() either returns and is found afterwards, or raises."""
    storage = StorageImpl.open(tmp_path, StorageOptions(wal_bytes=64 + 24 * 500))
    acknowledged = []

    def write():
        try:
            for timestamp in range(1_000_000):
                storage.write({"series": "a"}, timestamp, 1.0)
                acknowledged.append(timestamp)
        except Exception as error:
            assert "closed" in str(error)

    def close():
        while len(acknowledged) < 2000:
            pass
        storage.close()

    run_together(write, close)
    with StorageImpl.open(tmp_path) as again:
        found = {timestamp for _, timestamp in contents(again)}
    assert set(acknowledged) <= found
