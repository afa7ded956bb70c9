"""System call, futex, descriptor and frames -> the reason of a wait; pure and table-driven.

The rules are those of the design: a futex is decided by its operation and value (glibc), and where these leave it
open (a semaphore, a condition and any Python lock look alike) by the Python frame that called. Whether a wait for work
counts or is idle is decided later, when the whole run is known (storeprof.analysis.accounting.idle).
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass

FUTEX_PRIVATE = 0x80
FUTEX_CLOCK_REALTIME = 0x100
FUTEX_COMMAND = 0x7F

FLAG_WAITS_FOR_GIL = 1
FLAG_COLLECTS_GARBAGE = 8

DISK = "disk"
SEND = "network-send"
RECEIVE = "network-receive"
POLL = "poll"
SLEEP = "sleep"

_X86_64: dict[int, str] = {
    74: DISK, 75: DISK, 277: DISK, 26: DISK, 306: DISK, 162: DISK,  # fsync and its kin, msync
    2: DISK, 257: DISK, 437: DISK, 85: DISK, 87: DISK, 263: DISK, 82: DISK, 264: DISK, 316: DISK,  # open unlink rename
    76: DISK, 77: DISK, 285: DISK, 83: DISK, 258: DISK, 84: DISK, 86: DISK, 265: DISK,  # truncate fallocate mkdir link
    4: DISK, 5: DISK, 6: DISK, 262: DISK, 332: DISK, 78: DISK, 217: DISK, 221: DISK, 187: DISK,  # stat, getdents
    426: DISK, 209: DISK, 208: DISK, 326: DISK, 3: DISK, 27: DISK, 28: DISK,  # io_uring_enter aio copy close mincore
    42: SEND, 46: SEND, 44: SEND, 307: SEND, 47: RECEIVE, 45: RECEIVE, 299: RECEIVE,
    43: "network-accept", 288: "network-accept",
    7: POLL, 271: POLL, 23: POLL, 270: POLL, 232: POLL, 281: POLL, 441: POLL,
    35: SLEEP, 230: SLEEP, 34: SLEEP, 130: SLEEP,
    61: "child", 247: "child", 56: "child", 58: "child", 435: "child",  # vfork waits for its child's exec
    73: "file-lock", 72: "file-lock",
    65: "condition", 220: "condition", 64: "condition", 242: "queue-put", 243: "queue-get", 128: "condition",
}  # fmt: skip
_X86_64_BY_DESCRIPTOR = {0: "read", 17: "read", 19: "read", 295: "read", 327: "read", 1: "write", 18: "write",
                         20: "write", 296: "write", 328: "write", 40: "write", 275: "read"}  # fmt: skip
_FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine(), 202)


# System calls whose first argument is a descriptor (x86-64).
DESCRIPTOR_CALLS = frozenset(
    {
        0, 1, 3, 5, 8, 16, 17, 18, 19, 20, 40, 42, 43, 44, 45, 46, 47, 48, 72, 73, 74, 75, 77, 78, 91, 93, 187, 217,
        221, 232, 233, 275, 276, 277, 278, 281, 285, 288, 295, 296, 299, 306, 307, 326, 327, 328, 426, 441,
    }
)  # fmt: skip
_OTHER_FILES = (
    "/dev/pts/",
    "/dev/tty",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/memfd:",
)


def resource_kind(name: str) -> str:
    """What a descriptor stands for, by the name its link in /proc has: file, pipe, socket, eventfd, epoll, other.

    Terminals and the like are no storage; block devices and shared memory are.
    """
    for special in ("pipe", "socket"):
        if name.startswith(f"{special}:"):
            return special
    if name.startswith("anon_inode:"):
        return {"[eventfd]": "eventfd", "[eventpoll]": "epoll"}.get(name.split(":", 1)[1], "other")
    return "file" if name.startswith("/") and not name.startswith(_OTHER_FILES) else "other"


@dataclass(frozen=True, slots=True)
class Wait:
    """What one look saw of a thread: everything the rules need, nothing else.

    `frames` are (function, file) pairs from the leaf on, empty without a Python stack; `source` is the text of the
    leaf's line, empty when unknown; `descriptor` is the kind of the descriptor the call waits on.
    """

    state: str
    syscall: int
    arg1: int = 0
    arg2: int = 0
    flags: int = 0
    descriptor: str | None = None
    frames: tuple[tuple[str, str], ...] = ()
    source: str = ""


def reason(wait: Wait) -> str:  # noqa: PLR0911 - a decision list reads best as one
    """The reason a thread is where it was seen, one of the names in docs/formats/recording.md."""
    if wait.state == "R" or wait.syscall == -2:
        return "running"
    if wait.flags & FLAG_WAITS_FOR_GIL:
        return "gil"
    if wait.syscall == -1:
        return "page-fault" if wait.state == "D" else "unknown"
    if wait.syscall == _FUTEX:
        return _futex_reason(wait)
    between = _between_processes(wait.frames)
    if between:
        return between
    direction = _X86_64_BY_DESCRIPTOR.get(wait.syscall)
    if direction:
        return _descriptor_reason(wait, direction)
    found = _X86_64.get(wait.syscall)
    if found == POLL and _is_sleep(wait):
        return SLEEP
    if found:
        return found
    return DISK if wait.state == "D" else "unknown"


_BETWEEN_PROCESSES = {
    ("multiprocessing/connection.py", "Connection._recv"): "pipe-read",
    ("multiprocessing/connection.py", "Connection._send"): "pipe-write",
    ("multiprocessing/connection.py", "wait"): "pipe-read",
    ("subprocess.py", "Popen._communicate"): "child",
}
_LIBRARY_OF_PIPES = ("selectors.py", "multiprocessing/connection.py", "subprocess.py")


def _between_processes(frames: tuple[tuple[str, str], ...]) -> str | None:
    """A wait for a process of the program's own, in Python's modules for that; their pipes may be local sockets."""
    for function, file in frames:
        if not file.endswith(_LIBRARY_OF_PIPES):
            return None
        for (suffix, name), meaning in _BETWEEN_PROCESSES.items():
            if function == name and file.endswith(suffix):
                return meaning
    return None


def _is_sleep(wait: Wait) -> bool:
    """`time.sleep` is a select without descriptors where clock_nanosleep is missing."""
    return wait.syscall in (23, 270) and wait.arg1 == 0 and wait.arg2 == 0


def _descriptor_reason(wait: Wait, direction: str) -> str:
    if wait.descriptor == "socket":
        return SEND if direction == "write" else RECEIVE
    if wait.descriptor in ("pipe", "eventfd"):
        return f"pipe-{direction}"
    if wait.descriptor == "file" or wait.state == "D":
        return DISK
    return "pipe-read" if direction == "read" else "unknown"


def _futex_reason(wait: Wait) -> str:
    operation = wait.arg1 & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME)
    private = bool(wait.arg1 & FUTEX_PRIVATE)
    if not private and operation == 9 and wait.arg2 != 0:
        return "join"  # glibc joins on the tid word, which the kernel clears and shares
    if private and wait.arg2 in (2, 3):
        return "lock"  # a contended mutex holds 2, a rwlock waiter 3
    return _python_futex_reason(wait.frames, wait.source) if wait.frames else "condition"


_HANDOFFS = {
    ("queue.py", "Queue.get"): "queue-get",
    ("queue.py", "Queue.put"): "queue-put",
    ("queue.py", "Queue.join"): "join",
    ("threading.py", "Event.wait"): "event",
    ("threading.py", "Thread.join"): "join",
    ("threading.py", "Thread._wait_for_tstate_lock"): "join",
    ("threading.py", "Thread.start"): "join",
    ("threading.py", "_shutdown"): "join",
    ("threading.py", "Semaphore.acquire"): "condition",
    ("threading.py", "Barrier.wait"): "condition",
    ("concurrent/futures/_base.py", "Future.result"): "result",
    ("concurrent/futures/_base.py", "Future.exception"): "result",
    ("concurrent/futures/_base.py", "wait"): "result",
    ("concurrent/futures/_base.py", "as_completed"): "result",
    ("concurrent/futures/thread.py", "_worker"): "queue-get",
    ("concurrent/futures/thread.py", "ThreadPoolExecutor.shutdown"): "join",
    ("multiprocessing/queues.py", "Queue.get"): "queue-get",
    ("multiprocessing/queues.py", "SimpleQueue.get"): "queue-get",
    ("multiprocessing/synchronize.py", "Event.wait"): "event",
    ("multiprocessing/synchronize.py", "Barrier.wait"): "condition",
    ("multiprocessing/queues.py", "Queue.put"): "queue-put",
    ("multiprocessing/queues.py", "Queue._feed"): "queue-get",
}
_LIBRARY_OF_WAITS = (
    "threading.py",
    "queue.py",
    "_base.py",
    "thread.py",
    "queues.py",
    "process.py",
    "synchronize.py",
)


_SHORT_MUTEX = frozenset(
    {"Condition.__enter__", "Queue.put", "Queue.get", "Queue.qsize", "Queue.task_done", "Event.set"}
)
# Its queues have no mutex at that place: the semaphore says that there is room, the lock that it is a reader's turn.
_SEMAPHORES_OF_ITS_OWN = "multiprocessing/queues.py"


def _python_futex_reason(frames: tuple[tuple[str, str], ...], source: str) -> str:
    """Decide by the outermost known hand-off above the leaf; a plain acquire is a lock."""
    found: str | None = None
    waits_on_condition = False
    for function, file in frames:
        if not file.endswith(_LIBRARY_OF_WAITS):
            break
        waits_on_condition |= function == "Condition.wait"
        for (suffix, name), meaning in _HANDOFFS.items():
            if function == name and file.endswith(suffix):
                found = meaning
    leaf, leaf_file = frames[0]
    if leaf in _SHORT_MUTEX and not leaf_file.endswith(_SEMAPHORES_OF_ITS_OWN):
        return "lock"  # the short mutex inside these objects, not the wait they are for
    if found:
        return found
    if waits_on_condition:
        return "condition"
    return _acquire_or_queue(source)


def _acquire_or_queue(source: str) -> str:
    """`SimpleQueue.get` is C and leaves no frame of its own: only the caller's source line tells it from a lock.

    The method may be called by other C code (`iter(queue.get, None)`), and then its name alone is on the line.
    """
    if "acquire" in source or "with " in source:
        return "lock"
    return "queue-get" if re.search(r"\.get\b", source) or "get()" in source else "lock"
