"""The rules that turn system call, futex, descriptor and frames into a reason, one by one."""

from __future__ import annotations

import pytest

from storeprof.observe.classify import Wait, reason

THREADING = "/usr/lib/python3.11/threading.py"
QUEUE = "/usr/lib/python3.11/queue.py"
FUTURES = "/usr/lib/python3.11/concurrent/futures/_base.py"
WORKER = "/usr/lib/python3.11/concurrent/futures/thread.py"
MINE = ("Store.put", "/app/store.py")
CONDITION = ("Condition.wait", THREADING)
FUTEX = 202
WAIT_BITSET = 0x189


def python_wait(*frames: tuple[str, str], source: str = "") -> str:
    """The reason of a futex wait that glibc's rules leave open."""
    return reason(Wait("S", FUTEX, WAIT_BITSET, 0, frames=frames, source=source))


@pytest.mark.parametrize(
    ("operation", "value", "expected"),
    [
        (0x80, 2, "lock"),
        (0x89, 2, "lock"),
        (0x189, 3, "lock"),
        (0x109, 4711, "join"),
        (0x189, 0, "condition"),
        (0x80, 0, "condition"),
    ],
)
def test_native_futexes_are_told_by_operation_and_value(operation: int, value: int, expected: str) -> None:
    """glibc's mutex, rwlock, join and condition variable each have their own operation and value."""
    assert reason(Wait("S", FUTEX, operation, value)) == expected


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ((MINE,), "lock"),
        ((CONDITION, ("Queue.get", QUEUE), MINE), "queue-get"),
        ((CONDITION, ("Queue.put", QUEUE), MINE), "queue-put"),
        ((CONDITION, ("Event.wait", THREADING), MINE), "event"),
        ((CONDITION, MINE), "condition"),
        ((CONDITION, ("Future.result", FUTURES), MINE), "result"),
        ((("Thread._wait_for_tstate_lock", THREADING), ("Thread.join", THREADING), MINE), "join"),
        ((("_worker", WORKER), ("Thread.run", THREADING)), "queue-get"),
        ((("Condition.__enter__", THREADING), ("Queue.put", QUEUE), MINE), "lock"),
    ],
)
def test_python_locks_are_told_by_the_frame_that_called(frames: tuple[tuple[str, str], ...], expected: str) -> None:
    """A lock, a semaphore and a condition look alike to the kernel: the Python frame decides."""
    assert python_wait(*frames) == expected


CONNECTION = "/usr/lib/python3.11/multiprocessing/connection.py"
SHARED_QUEUES = "/usr/lib/python3.11/multiprocessing/queues.py"
SEMAPHORES = "/usr/lib/python3.11/multiprocessing/synchronize.py"
RECEIVES = (("Connection._recv", CONNECTION), ("Connection.recv", CONNECTION), MINE)
POLLS = (("_PollLikeSelector.select", "/usr/lib/python3.11/selectors.py"),)


@pytest.mark.parametrize(
    ("call", "descriptor", "frames", "expected"),
    [
        (0, "socket", RECEIVES, "pipe-read"),
        (0, "pipe", RECEIVES, "pipe-read"),
        (1, "socket", (("Connection._send", CONNECTION), MINE), "pipe-write"),
        (7, None, (*POLLS, ("wait", CONNECTION), MINE), "pipe-read"),
        (7, None, (*POLLS, ("Popen._communicate", "/usr/lib/python3.11/subprocess.py"), MINE), "child"),
        (7, None, (*POLLS, MINE), "poll"),
        (0, "socket", (MINE,), "network-receive"),
    ],
)
def test_waits_for_processes_of_ones_own_are_no_network(
    call: int, descriptor: str | None, frames: tuple[tuple[str, str], ...], expected: str
) -> None:
    """multiprocessing and subprocess talk through local sockets and polls: their frames say whom they wait for."""
    assert reason(Wait("S", call, descriptor=descriptor, frames=frames)) == expected


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ((("SemLock.__enter__", SEMAPHORES), ("SimpleQueue.get", SHARED_QUEUES)), "queue-get"),
        ((("Queue.get", SHARED_QUEUES), MINE), "queue-get"),
        ((("Queue.put", SHARED_QUEUES), MINE), "queue-put"),
        ((("SemLock.__enter__", SEMAPHORES), MINE), "lock"),
        ((("Condition.wait", SEMAPHORES), ("Event.wait", SEMAPHORES), MINE), "event"),
        ((("Queue.get", QUEUE), MINE), "lock"),
    ],
)
def test_semaphores_between_processes_are_told_by_the_frame_that_called(
    frames: tuple[tuple[str, str], ...], expected: str
) -> None:
    """Workers that queue up for a shared queue's lock wait for work; a lock of the program's own is a lock."""
    assert python_wait(*frames) == expected


def test_a_simple_queue_leaves_only_the_source_line() -> None:
    """SimpleQueue.get is C: the caller's source line tells it from a lock."""
    assert python_wait(MINE, source="item = self.work.get()") == "queue-get"
    assert python_wait(MINE, source="for batch in iter(self.inbox.get, None):") == "queue-get"
    assert python_wait(MINE, source="with self.lock:") == "lock"
    assert python_wait(MINE, source="with self.locks.get(shard):") == "lock"


def test_the_gil_goes_before_every_other_rule() -> None:
    """A futex inside the interpreter's GIL is `gil`, whatever its operation."""
    assert reason(Wait("S", FUTEX, WAIT_BITSET, 0, flags=1, frames=(MINE,))) == "gil"


@pytest.mark.parametrize(
    ("call", "descriptor", "expected"),
    [
        (74, "file", "disk"), (75, "file", "disk"), (26, None, "disk"), (82, None, "disk"), (426, None, "disk"),
        (0, "file", "disk"), (0, "pipe", "pipe-read"), (1, "pipe", "pipe-write"), (0, "eventfd", "pipe-read"),
        (0, "socket", "network-receive"), (1, "socket", "network-send"), (45, "socket", "network-receive"),
        (44, "socket", "network-send"), (288, "socket", "network-accept"), (232, "epoll", "poll"),
        (230, None, "sleep"), (35, None, "sleep"), (61, None, "child"), (73, "file", "file-lock"),
    ],
)  # fmt: skip
def test_system_calls_are_told_by_number_and_descriptor(call: int, descriptor: str | None, expected: str) -> None:
    """Disk, network, pipes, sleep and children follow from the call and what it waits on."""
    assert reason(Wait("S", call, descriptor=descriptor)) == expected


def test_a_fault_without_a_system_call_reads_from_disk() -> None:
    """State D without a system call is a page fault from disk; asleep without one is unknown."""
    assert reason(Wait("D", -1)) == "page-fault"
    assert reason(Wait("S", -1)) == "unknown"


@pytest.mark.parametrize("call", [56, 58, 435])
def test_a_vfork_waits_for_its_child_and_not_for_a_disk(call: int) -> None:
    """Until its child has become another program the parent sleeps uninterruptibly: state D without any storage."""
    assert reason(Wait("D", call)) == "child"


def test_running_and_runnable_are_one_reason() -> None:
    """A single look can't tell on-CPU from run queue: the control totals do."""
    assert reason(Wait("R", 202)) == "running"
    assert reason(Wait("S", -2)) == "running"


def test_an_unknown_call_is_never_called_a_lock() -> None:
    """What no rule knows stays unknown, except in state D, which is the disk."""
    assert reason(Wait("S", 999)) == "unknown"
    assert reason(Wait("D", 999)) == "disk"
