"""What survives a power cut, on the twin that drops everything not synced."""

from contextlib import suppress

import pytest
from memory_files import MemoryFiles
from storage_bench import Bench, contents, wait_until

from storeprof.tsdb import StorageError, StorageImpl


def test_always_keeps_every_acknowledged_write():
    """With sync="always" a power cut loses no acknowledged write, over several generations."""
    bench = Bench(sync="always")
    bench.write(500)
    assert bench.after_crash() == bench.acknowledged


@pytest.mark.parametrize("seed", range(12))
def test_always_keeps_them_whatever_pages_reached_the_disk(seed):
    """It does so whichever of the unsynced pages and names the disk happened to keep."""
    bench = Bench(sync="always")
    bench.write(400)
    assert bench.after_crash(seed) == bench.acknowledged


def test_batch_that_returned_survives():
    """A batch that returned is there whole after a power cut, with sync="always"."""
    bench = Bench(sync="always")
    bench.storage.write_batch(({"batch": "1"}, timestamp, 1.0) for timestamp in range(600))
    assert len(bench.after_crash()) == 600


def test_interval_keeps_what_was_synced():
    """With sync="interval" a sync that returned covers every write acknowledged before it began."""
    bench = Bench(sync_interval_s=0.02, wal_bytes=1 << 16)
    bench.write(300)
    before = dict(bench.acknowledged)
    seen = bench.files.syncs
    wait_until(lambda: bench.files.syncs >= seen + 6)
    bench.write(300)
    found = bench.after_crash()
    assert before.items() <= found.items()


@pytest.mark.parametrize("seed", range(12))
def test_interval_keeps_records_whole_or_not_at_all(seed):
    """Of what was not synced each record survives whole or not at all, and the storage opens."""
    bench = Bench(wal_bytes=1 << 15)
    bench.write(2500)
    found = bench.after_crash(seed)
    assert found.items() <= bench.acknowledged.items()


def test_flush_makes_everything_durable():
    """What was written before flush() returned survives a power cut in every sync mode."""
    bench = Bench()
    bench.write(200)
    bench.storage.flush()
    assert bench.after_crash() == bench.acknowledged


def test_death_at_any_step_loses_no_acknowledged_write():
    """Whichever file operation is the last before the power cut, acknowledged writes are found, each once."""
    whole = MemoryFiles()
    _script(Bench(whole, sync="always"))
    for steps in range(3, whole.steps):
        files = MemoryFiles()
        bench = Bench(files, sync="always")
        files.steps_left = steps
        _script(bench)
        for seed in (None, steps):
            found = bench.after_crash(seed)
            assert bench.acknowledged.items() <= found.items() <= bench.attempted.items()


def test_death_during_replay_changes_nothing():
    """Replay can die after any step and be started again: nothing is lost and nothing is there twice."""
    bench = Bench(sync="always", backlog=8)
    bench.write(300)
    expected = dict(bench.acknowledged)
    for steps in range(40):
        files = bench.files.crash()
        files.steps_left = steps
        with suppress(OSError, StorageError):
            StorageImpl.open("", bench.options, files=files).close()
        with StorageImpl.open("", bench.options, files=files.crash(steps)) as storage:
            assert contents(storage) == expected


def test_failed_sync_is_the_end_of_the_storage():
    """After a sync that failed nothing is acknowledged any more, even if the disk works again."""
    bench = Bench(sync="always")
    bench.write(10)
    bench.files.steps_left = 0
    with pytest.raises(StorageError, match="failed"):
        bench.write()
    bench.files.steps_left = None
    with pytest.raises(StorageError, match="failed"):
        bench.write()
    with pytest.raises(StorageError, match="failed"):
        bench.storage.close()
    assert bench.acknowledged.items() <= bench.after_crash().items()


def _script(bench):
    try:
        bench.write(200)
        bench.storage.flush()
        bench.write(5)
        bench.storage.close()
    except StorageError:
        pass
