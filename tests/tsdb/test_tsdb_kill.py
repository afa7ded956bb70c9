"""A real process is killed with SIGKILL; a new one finds every acknowledged write."""

import subprocess
import sys

import pytest
from storage_bench import contents

from storeprof.tsdb import StorageImpl

WRITER = """
import os
import sys
from threading import Thread
from storeprof.tsdb import StorageImpl, StorageOptions
storage = StorageImpl.open(sys.argv[1], StorageOptions(sync=sys.argv[2], wal_bytes=64 + 24 * 5000))
def write(writer):
    for number in range(10_000_000):
        storage.write({"writer": str(writer), "series": str(number % 7)}, number, number * 0.5)
        if number % 50 == 49:
            os.write(1, b"%d %d\\n" % (writer, number))
for writer in range(2):
    Thread(target=write, args=(writer,)).start()
"""


@pytest.mark.parametrize(("sync", "lines"), [("interval", 1), ("interval", 700), ("always", 40)])
def test_killed_process_loses_no_acknowledged_write(tmp_path, sync, lines):
    """After SIGKILL amid writes and flushes each write that was reported as done is there, once."""
    child = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, sync], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    reported = [child.stdout.readline() for _ in range(lines)]
    child.kill()
    rest = child.stdout.read().splitlines(keepends=True)
    child.stdout.close()
    child.wait()
    last = {}
    for line in [*reported, *rest]:
        if line.endswith("\n"):
            writer, number = line.split()
            last[writer] = int(number)
    with StorageImpl.open(tmp_path) as storage:
        found = contents(storage)
    for writer, number in last.items():
        for timestamp in range(number + 1):
            labels = (("series", str(timestamp % 7)), ("writer", writer))
            assert found[labels, timestamp] == timestamp * 0.5


def test_killed_again_during_replay(tmp_path):
    """A process killed while it replays leaves everything for the next one."""
    child = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, "interval"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(100):
        line = child.stdout.readline()
    child.kill()
    child.stdout.close()
    child.wait()
    replay = "import sys; from storeprof.tsdb import StorageImpl; print(flush=True); StorageImpl.open(sys.argv[1])"
    second = subprocess.Popen([sys.executable, "-c", replay, tmp_path], stdout=subprocess.PIPE)
    assert second.stdout is not None
    second.stdout.readline()
    second.kill()
    second.stdout.close()
    second.wait()
    with StorageImpl.open(tmp_path) as storage:
        found = contents(storage)
    writer, number = line.split()
    assert ((("series", str(int(number) % 7)), ("writer", writer)), int(number)) in found
