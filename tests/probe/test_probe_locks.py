"""Locks with names: they behave as those of threading, and how long they are waited for and held is recorded."""

import contextlib
import os
import sys
import threading
from pathlib import Path

import pytest
from probe_memory import cpp, python

import storeprof
from recordings import findings, record

PROGRAM = """
import os, queue, threading, time, storeprof
lock = storeprof.Lock("memtable")
storeprof.name_lock(queue.Queue(), "flush queue"); storeprof.Condition("table"); storeprof.RLock("wal")
end = time.monotonic() + float(os.environ["RUN_SECONDS"])
counted = []
@storeprof.profile_function
def write():
    with lock: sum(range(100))
@storeprof.profile_function
def flush():
    with lock: time.sleep(0.01)
def run(function):
    times = 0
    while time.monotonic() < end:
        function(); time.sleep(0.002); times += 1
    counted.append(times)
threads = [threading.Thread(target=run, args=(one,)) for one in (write, write, flush)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sum(counted))
"""


@pytest.mark.parametrize("make", [storeprof.Lock, storeprof.RLock])
def test_they_do_what_locks_do(make) -> None:
    """With and without blocking, with a timeout, by an ExitStack, under a condition; mistakes are threading's."""
    lock = make("some")
    other = threading.Thread
    with lock:
        refused: list[bool] = []
        attempts = (lambda: lock.acquire(False), lambda: lock.acquire(timeout=0.01), lambda: lock.acquire(True, 0.01))
        for attempt in attempts:
            thread = other(target=lambda attempt=attempt: refused.append(attempt()))
            thread.start(), thread.join()
    assert refused == [False, False, False]
    with contextlib.ExitStack() as stack:
        assert stack.enter_context(lock)
        assert not hasattr(lock, "locked") or lock.locked()
    assert lock.acquire(blocking=False) and lock.release() is None
    with pytest.raises(RuntimeError, match=r"release unlocked lock|cannot release un-acquired lock"):
        lock.release()
    with pytest.raises(TypeError, match="need the lock"):
        type(lock).__enter__()
    condition, woken = threading.Condition(lock), []

    def wait() -> None:
        with condition:
            woken.append(condition.wait(20))

    thread = other(target=wait)
    thread.start()
    while not woken:
        with condition:
            condition.notify_all()
    thread.join()
    assert woken == [True]


def test_a_recursive_lock_is_given_back_as_a_whole_while_a_condition_waits() -> None:
    """However often it was taken, it is free meanwhile, and as often taken afterwards."""
    lock = storeprof.RLock("some")
    condition = threading.Condition(lock)
    free: list[bool] = []
    with lock, condition:
        thread = threading.Thread(target=lambda: (free.append(lock.acquire(timeout=10)), lock.release()))
        thread.start()
        condition.wait(0.2)
        thread.join()
        assert lock._is_owned()
    assert free == [True] and not lock._is_owned()


def test_stays_lie_below_the_scope_that_took_the_lock() -> None:
    """Counts are exact: once for a nested taking, none for what another thread gives back; and after a fork."""
    code = """
import storeprof
lock, nested = storeprof.Lock("memtable"), storeprof.RLock("wal")
with profile_scope("put"):
    for _ in range(5):
        with lock: pass
    with nested:
        with nested: pass
with lock: pass
nested.acquire(); lock.acquire()
t = threading.Thread(target=lock.release); t.start(); t.join()
child = os.fork()
if child == 0:
    nested.release()
    with nested: pass
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
nested.release()
"""
    with python("import os, threading\n" + code) as program:
        counts = program.memory().counts()
    assert counts == {
        ("put",): 1, ("put", "memtable held"): 5, ("put", "wal held"): 1, ("memtable held",): 1, ("wal held",): 1,
    }  # fmt: skip


def test_in_cpp_a_wait_is_counted_and_timed(tmp_path) -> None:
    """Holds of a lock taken often are timed in part, at random; a wait is timed always."""
    source = """
#include <thread>
#include <time.h>
static storeprof::mutex memtable("memtable");
int main() {
  for (int i = 0; i < 100000; ++i) { const std::lock_guard<storeprof::mutex> hold(memtable); }
  memtable.lock();
  std::thread other([] { PROFILE_SCOPE("flush"); const std::lock_guard<storeprof::mutex> hold(memtable); });
  timespec moment{0, 50000000};
  nanosleep(&moment, nullptr);
  memtable.unlock();
  other.join();
  std::printf("%d\\n", memtable.try_lock());
  memtable.unlock();
  hold();
}
"""
    with cpp(tmp_path, source) as program:
        memory = program.memory()
        assert program.said == ["1"]
    nodes = {path: node for block in memory.blocks for path, node in block.nodes.items()}
    assert {path: node.count for path, node in nodes.items()} == {
        ("memtable held",): 100_002, ("flush",): 1, ("flush", "memtable held"): 1, ("flush", "memtable waited"): 1,
    }  # fmt: skip
    timed = sum(nodes["memtable held",].histogram)
    assert 1024 + 0.2 * 98_976 < timed < 1024 + 0.3 * 98_976
    assert sum(nodes["flush", "memtable waited"].histogram) == 1


def test_waits_and_holds_are_reported_by_lock_and_scope(tmp_path: Path) -> None:
    """How often, how long, where and meanwhile what: of the flush that sleeps with the lock and of those who wait."""
    (tmp_path / "locks.py").write_text(PROGRAM)
    options = ("--no-perf", "--no-alloc-hook")
    done = record(tmp_path, sys.executable, "locks.py", seconds=2, options=options)
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    assert any("waiting for memtable" in line for one in document["findings"] for line in one["evidence"])
    (lock,) = document["locks"]
    assert lock["name"] == "memtable" and lock["holds"]["count"] == int(done.stdout)
    paths = {row["scopes"][0]: row for row in lock["paths"]}
    assert paths["flush"]["holds"]["mean_s"] > 0.01 > paths["write"]["holds"]["mean_s"]
    assert 0 < paths["write"]["waits"]["count"] <= paths["write"]["holds"]["count"]
    assert paths["write"]["waits"]["seconds"] > paths["flush"]["waits"]["seconds"]
    assert 0.5 < lock["held_share"] <= 1.0
    assert lock["holders"][0]["function"] == "locks.flush" and lock["holders_did"]["sleep"] > 0.5
    assert {row["name"] for row in document["operations"]} == {"write", "flush"}
    assert os.path.exists(tmp_path / "recording" / "tables" / "lock_stays.parquet")
