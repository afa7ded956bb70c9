"""What threads wait for that give the CPU away again and again."""

from __future__ import annotations

import pytest

from storeprof.analysis.accounting.charges import CPU, DEPENDENCY, LOCK
from storeprof.analysis.accounting.spinning import spins_for


@pytest.mark.parametrize(
    ("name", "waits_for"),
    [
        ("pagestore::Latch::enter()", LOCK),
        ("SpinLock::acquire(bool)", LOCK),
        ("db::rw_lock::lock_shared()", LOCK),
        ("spin_lock", LOCK),
        ("Ring::waitForRoom(unsigned long)", DEPENDENCY),
        ("Barrier::arrive", DEPENDENCY),
        ("BlockManager::store_block(Lock&)", CPU),
        ("Clock::tick()", CPU),
        ("Worker::run()", CPU),
        ("WorkQueue::take()", CPU),
    ],
)
def test_the_name_of_the_function_that_yields_tells(name: str, waits_for: int) -> None:
    """A lock's function waits for the lock, one that says it waits does so for others, and any other one is busy."""
    assert spins_for(name) == waits_for
