"""What a thread of a Mac was doing, from the innermost symbols of its stack.

`sample` says where a thread was at each look, not whether it ran. A thread that waits is in a system call of
libsystem_kernel.dylib, whose name says what it is waiting in; what it is waiting for is often said by who called it. A
leaf that is no such call was running, or wanted to: the two can't be told apart.

File system calls are taken for waits for the disk: much of the time that is what they are, and where the file was in
memory the time is the kernel's and goes with the same call all the same.

Reasons are those of recordings (docs/formats/recording.md, `looks.reason`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from storeprof.collect.tool_output import Frame

_SUFFIXES: Final = ("$NOCANCEL", "_nocancel", "$UNIX2003", "$DARWIN_EXTSN", "$INODE64")
_DEEP: Final = 12

# Reason of a system call by itself, by its name without underscores in front and without suffixes.
_CALLS: Final = {
    "lock": ("psynch_mutexwait", "psynch_rw_rdlock", "psynch_rw_wrlock", "psynch_rw_longrdlock",
             "psynch_rw_yieldwrlock"),
    "file-lock": ("flock",),
    "condition": ("psynch_cvwait", "ulock_wait", "ulock_wait2"),
    "event": ("semaphore_wait_trap", "semaphore_timedwait_trap", "semaphore_wait_signal_trap",
              "semaphore_timedwait_signal_trap", "sem_wait", "sigwait", "sigsuspend", "sigtimedwait"),
    "sleep": ("semwait_signal", "nanosleep", "clock_sleep_trap", "mach_wait_until"),
    "queue-get": ("workq_kernreturn", "bsdthread_ctl"),
    "poll": ("kevent", "kevent64", "kevent_qos", "kevent_id", "select", "pselect", "poll", "aio_suspend"),
    "result": ("mach_msg_trap", "mach_msg2_trap", "mach_msg_overwrite_trap"),
    "child": ("wait4", "waitid"),
    "network-receive": ("recvfrom", "recvmsg", "recvmsg_x"),
    "network-send": ("sendto", "sendmsg", "sendmsg_x", "connect", "connectx", "sendfile"),
    "network-accept": ("accept",),
    "disk": ("open", "openat", "open_dprotected_np", "guarded_open_np", "close", "guarded_close_np", "read", "pread",
             "readv", "preadv", "write", "pwrite", "writev", "pwritev", "guarded_write_np", "guarded_pwrite_np",
             "fsync",
             "fdatasync", "fcntl", "msync", "sync", "ftruncate", "truncate", "rename", "renameat", "renameatx_np",
             "unlink",
             "unlinkat", "link", "symlink", "mkdir", "rmdir", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64",
             "fstatat", "fstatat64", "statfs64", "fstatfs64", "getattrlist", "getattrlistbulk", "getdirentries64",
             "access", "faccessat", "chmod", "fchmod", "fsctl", "ffsctl", "fclonefileat", "copyfile", "lseek_disk"),
}  # fmt: skip
_REASON: Final = {name: reason for reason, names in _CALLS.items() for name in names}

# Go made its system calls itself, in the program's own binary, before 1.12 (1.16 on other systems).
_GO: Final = {
    "runtime.mach_semaphore_wait": "event", "runtime.mach_semaphore_timedwait": "event", "runtime.semasleep1": "event",
    "runtime.usleep": "sleep", "runtime.kevent": "poll", "runtime.nanosleep": "sleep",
}  # fmt: skip

# Who called decides: the first of these on the stack, from the call outwards, says what such a wait is for.
_CALLERS: Final = (
    ("gil", ("take_gil", "PyEval_RestoreThread", "PyEval_AcquireThread", "_PyEval_AcquireLock")),
    ("join", ("pthread_join", "_pthread_join", "_pthread_join_cleanup", "thread_join")),
    ("lock", ("os_unfair_lock", "_os_unfair_lock", "_os_nospin_lock", "_os_nospin_lock_lock_slow", "OSSpinLockLock",
              "_OSSpinLockLock", "_dispatch_unfair_lock_wait", "_dispatch_once_wait", "dispatch_once_f",
              "__DISPATCH_WAIT_FOR_QUEUE__", "_dispatch_sync_f_slow", "_pthread_mutex", "pthread_mutex",
              "pthread_rwlock",
              "std::__1::mutex::lock", "std::__1::recursive_mutex::lock", "std::mutex::lock", "objc_sync_enter")),
    ("sleep", ("usleep", "sleep", "nanosleep", "std::__1::this_thread::sleep_for", "+[NSThread sleep")),
    ("poll", ("__CFRunLoopServiceMachPort", "CFRunLoopRun", "mach_msg_server", "_dispatch_mgr")),
    ("queue-get", ("_dispatch_worker_thread", "_pthread_wqthread")),
    ("child", ("waitpid", "wait3", "system", "popen")),
)  # fmt: skip
_DECIDED_BY_CALLER: Final = {
    "condition": ("gil", "join", "lock", "sleep"), "event": ("gil", "lock", "queue-get"), "sleep": ("sleep",),
    "result": ("poll",), "queue-get": ("poll",), "poll": (), "child": (),
}  # fmt: skip
# A thread at these, or in what they call themselves, is on its way into a wait or out of it: nothing to make cheaper.
_ENTRANCES: Final = ("pthread_cond_wait", "pthread_cond_timedwait", "pthread_mutex_firstfit_lock_slow",
                     "pthread_mutex_fairshare_lock_slow")  # fmt: skip
_YIELDS: Final = frozenset({"swtch_pri", "swtch", "thread_switch", "syscall_thread_switch"})


def wait_reason(frames: Sequence[Frame]) -> str:
    """Why a thread with this stack (leaf first) waits, `running` when it does not."""
    at = next((index for index, frame in enumerate(frames) if frame.kind != "kernel"), None)
    if at is None:
        return "unknown" if frames else "running"
    leaf = frames[at]
    if leaf.image is not None and leaf.image.rsplit("/", 1)[-1].startswith("libsystem_pthread"):
        entered = any(plain_call(frame.function) in _ENTRANCES for frame in frames[at : at + 2])
        found = _caller(frames[at : at + 1 + _DEEP], _DECIDED_BY_CALLER["condition"]) or "condition"
        return found if entered else "running"
    if leaf.image is not None and not _is_system(leaf.image):
        return _GO.get(leaf.function, "running")
    call = plain_call(leaf.function)
    callers = frames[at + 1 : at + 1 + _DEEP]
    if call in _YIELDS:
        return "lock" if _caller(callers, ("lock",)) else "running"
    reason = _REASON.get(call)
    if reason is None:
        return "running"
    return _caller(callers, _DECIDED_BY_CALLER.get(reason, ())) or reason


def plain_call(symbol: str) -> str:
    """A system call's name without the marks of its variants: `__read_nocancel` -> `read`."""
    name = symbol
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name.lstrip("_")


def _is_system(image: str) -> bool:
    """Whether a binary is where system calls are made: the kernel's library, or libSystem before 10.7."""
    name = image.rsplit("/", 1)[-1]
    return name.startswith(("libsystem_kernel", "libSystem", "libsystem_c.", "dyld"))


def _caller(frames: Sequence[Frame], wanted: Sequence[str]) -> str | None:
    for frame in frames:
        for reason, names in _CALLERS:
            if reason in wanted and frame.function.startswith(names):
                return reason
    return None
