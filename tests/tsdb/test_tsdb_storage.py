"""What the storage answers, on real files."""

import math
import subprocess
import sys

import pytest
from storage_bench import ALL, contents, wait_until

from storeprof.tsdb import Matcher, StorageError, StorageImpl, StorageOptions

A = {"host": "a", "metric": "cpu"}


@pytest.fixture
def storage(tmp_path):
    """An open storage with small generations."""
    with StorageImpl.open(tmp_path, StorageOptions(wal_bytes=4096)) as opened:
        yield opened


def pairs(samples):
    """Samples as a list of (timestamp, value)."""
    return list(zip(samples.timestamps, samples.values, strict=True))


def test_range_holds_its_start_and_not_its_end(storage):
    """read() and query() give start <= timestamp < end."""
    for timestamp in range(10):
        storage.write(A, timestamp, float(timestamp))
    assert pairs(storage.read(A, 3, 5)) == [(3, 3.0), (4, 4.0)]
    assert pairs(storage.query({}, 3, 5)[0][1]) == [(3, 3.0), (4, 4.0)]


@pytest.mark.parametrize("flushed", [False, True])
def test_samples_come_back_in_order_of_time(storage, flushed):
    """Samples written out of order are read in order, from memory and from blocks."""
    for timestamp in (5, 1, 9, -3, 7):
        storage.write(A, timestamp, float(timestamp))
        assert storage.read(A, *ALL).timestamps.tolist() == sorted(storage.read(A, *ALL).timestamps)
    if flushed:
        storage.flush()
    assert storage.read(A, *ALL).timestamps.tolist() == [-3, 1, 5, 7, 9]


def test_last_write_wins(storage, tmp_path):
    """Of two writes with one timestamp the later wins: in memory, over generations, and after reopening."""
    storage.write(A, 1, 1.0)
    storage.write(A, 1, 2.0)
    assert pairs(storage.read(A, *ALL)) == [(1, 2.0)]
    storage.flush()
    storage.write(A, 1, 3.0)
    assert pairs(storage.read(A, *ALL)) == [(1, 3.0)]
    storage.flush()
    storage.close()
    with StorageImpl.open(tmp_path) as again:
        assert pairs(again.read(A, *ALL)) == [(1, 3.0)]


def test_order_of_labels_does_not_matter(storage):
    """Labels in another order are the same series."""
    storage.write({"host": "a", "metric": "cpu"}, 1, 1.0)
    storage.write({"metric": "cpu", "host": "a"}, 2, 2.0)
    assert storage.query({}, *ALL)[0][1].timestamps.tolist() == [1, 2]
    assert len(storage.query({}, *ALL)) == 1


def test_unknown_series_has_no_samples(storage):
    """read() of a series that was never written is empty and creates nothing."""
    assert pairs(storage.read({"host": "nobody"}, *ALL)) == []
    assert storage.query({}, *ALL) == []


@pytest.mark.parametrize(
    ("conditions", "hosts"),
    [
        ({}, "abc"),
        ({"host": "a"}, "a"),
        ({"host": "nobody"}, ""),
        ({"host": Matcher("!=", "a")}, "bc"),
        ({"host": Matcher("=~", "a|b")}, "ab"),
        ({"host": Matcher("=~", "")}, ""),
        ({"host": Matcher("!~", "a|b")}, "c"),
        ({"rack": ""}, "ab"),
        ({"rack": Matcher("!=", "")}, "c"),
        ({"rack": Matcher("!=", "1")}, "ab"),
        ({"rack": Matcher("=~", ".*")}, "abc"),
        ({"host": Matcher("!=", "a"), "rack": ""}, "b"),
        ({"color": "red"}, ""),
        ({"color": Matcher("!=", "red")}, "abc"),
    ],
)
def test_matchers(storage, conditions, hosts):
    """All conditions must hold; a missing label is the empty string; patterns match the whole value."""
    storage.write({"host": "a"}, 1, 1.0)
    storage.write({"host": "b"}, 1, 1.0)
    storage.write({"host": "c", "rack": "1"}, 1, 1.0)
    assert "".join(labels["host"] for labels, _ in storage.query(conditions, *ALL)) == hosts


def test_series_without_samples_in_the_range_are_left_out(storage):
    """query() gives no series that is empty in the range."""
    storage.write({"host": "a"}, 1, 1.0)
    storage.write({"host": "b"}, 100, 1.0)
    assert [labels["host"] for labels, _ in storage.query({}, 50, 200)] == ["b"]


@pytest.mark.parametrize(
    ("labels", "timestamp", "value"),
    [
        ({"": "x"}, 1, 1.0),
        ({"host": 7}, 1, 1.0),
        ({7: "x"}, 1, 1.0),
        (A, 1 << 63, 1.0),
        (A, 1.5, 1.0),
        (A, 1, "warm"),
        (A, 1, None),
    ],
)
def test_what_cannot_be_stored_is_refused(storage, labels, timestamp, value):
    """Labels that are no strings, timestamps over 64 bits and values that are no numbers are refused."""
    with pytest.raises(StorageError) as refused:
        storage.write(labels, timestamp, value)
    assert "\n" not in str(refused.value)
    storage.write(A, 1, 1.0)
    assert len(contents(storage)) == 1


def test_special_values_are_kept(storage):
    """Infinity, minus zero and NaN come back as they were."""
    for timestamp, value in enumerate((math.inf, -0.0, math.nan)):
        storage.write(A, timestamp, value)
    storage.flush()
    first, second, third = storage.read(A, *ALL).values
    assert first == math.inf
    assert math.copysign(1, second) == -1
    assert math.isnan(third)


def test_closed_storage_says_so(tmp_path):
    """After close() every operation is refused, and a second close() does nothing."""
    storage = StorageImpl.open(tmp_path)
    storage.write(A, 1, 1.0)
    storage.close()
    storage.close()
    for operation in (
        lambda: storage.write(A, 2, 1.0),
        lambda: storage.write_batch([(A, 2, 1.0)]),
        lambda: storage.read(A, *ALL),
        lambda: storage.query({}, *ALL),
        storage.flush,
    ):
        with pytest.raises(StorageError, match="closed"):
            operation()


def test_closing_leaves_no_log(tmp_path):
    """After close() the directory holds no log, and the next storage finds everything."""
    with StorageImpl.open(tmp_path) as storage:
        storage.write_batch((A, timestamp, 1.0) for timestamp in range(1000))
    assert not list(tmp_path.glob("wal-*"))
    with StorageImpl.open(tmp_path) as storage:
        assert len(contents(storage)) == 1000


def test_directory_is_open_once(tmp_path):
    """A second storage on the directory is refused, here and in another process, until it is closed."""
    program = "import sys; from storeprof.tsdb import StorageImpl; StorageImpl.open(sys.argv[1]).close()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with StorageImpl.open(tmp_path):
        with pytest.raises(StorageError, match="open already"):
            StorageImpl.open(tmp_path)
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "open already" in other.stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_failed_open_gives_the_directory_back(tmp_path):
    """An open that fails does not keep the lock."""
    (tmp_path / "series.log").write_bytes(b"something else")
    with pytest.raises(StorageError, match="version 1"):
        StorageImpl.open(tmp_path)
    (tmp_path / "series.log").unlink()
    StorageImpl.open(tmp_path).close()


def test_retention_removes_the_oldest_blocks(tmp_path):
    """Block files stay within retention_bytes: the oldest samples go, the newest stay."""
    options = StorageOptions(wal_bytes=64 + 24 * 100, retention_bytes=4000)
    with StorageImpl.open(tmp_path, options) as storage:
        for timestamp in range(5000):
            storage.write(A, timestamp, math.sin(timestamp))
        storage.flush()
        found = storage.read(A, *ALL).timestamps
        assert found[-1] == 4999
        assert 0 < len(found) < 5000
        assert found.tolist() == list(range(found[0], 5000))
        assert sum(path.stat().st_size for path in tmp_path.glob("blocks-*")) <= 4000


def test_logs_on_disk_stay_bounded(tmp_path):
    """However fast a writer is, there are at most backlog + 1 logs: it waits for the flush."""
    options = StorageOptions(wal_bytes=64 + 24 * 50, backlog=2)
    most = 0
    with StorageImpl.open(tmp_path, options) as storage:
        for timestamp in range(3000):
            storage.write(A, timestamp, 1.0)
            if timestamp % 50 == 1:
                most = max(most, len(list(tmp_path.glob("wal-*"))))
    assert 1 <= most <= 3


def test_cache_answers_the_second_read(tmp_path):
    """A block is read once; the second level spares the file, the first spares the decoding as well."""
    with StorageImpl.open(tmp_path) as storage:
        storage.write(A, 1, 1.0)
    with StorageImpl.open(tmp_path) as storage:
        for _ in range(3):
            assert len(storage.read(A, *ALL).timestamps) == 1
        assert (storage.cache.misses, storage.cache.l1_hits, storage.cache.l2_hits) == (1, 2, 0)
    with StorageImpl.open(tmp_path, StorageOptions(l1_bytes=0)) as storage:
        for _ in range(3):
            assert len(storage.read(A, *ALL).timestamps) == 1
        assert (storage.cache.misses, storage.cache.l1_hits, storage.cache.l2_hits) == (1, 0, 2)
    with StorageImpl.open(tmp_path, StorageOptions(l1_bytes=0, l2_bytes=0)) as storage:
        for _ in range(3):
            assert len(storage.read(A, *ALL).timestamps) == 1
        assert storage.cache.misses == 3


def test_background_thread_flushes_by_itself(tmp_path):
    """A full generation becomes a block file without anybody calling flush()."""
    with StorageImpl.open(tmp_path, StorageOptions(wal_bytes=64 + 24 * 10)) as storage:
        for timestamp in range(25):
            storage.write(A, timestamp, 1.0)
        wait_until(lambda: len(list(tmp_path.glob("blocks-*.tsb"))) == 2)
        assert len(contents(storage)) == 25
