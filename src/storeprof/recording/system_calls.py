"""Names of the system calls that findings and tools speak of (x86-64 numbers; a table, not logic)."""

from __future__ import annotations

_NAMES = {
    0: "read", 1: "write", 2: "open", 3: "close", 4: "stat", 5: "fstat", 7: "poll", 17: "pread", 18: "pwrite",
    19: "readv", 20: "writev", 22: "pipe", 23: "select", 26: "msync", 35: "nanosleep", 40: "sendfile", 42: "connect",
    43: "accept", 44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 61: "wait4", 72: "fcntl", 73: "flock",
    74: "fsync", 75: "fdatasync", 76: "truncate", 77: "ftruncate", 82: "rename", 83: "mkdir", 87: "unlink",
    162: "sync", 187: "readahead", 202: "futex", 208: "io_getevents", 209: "io_submit", 217: "getdents",
    230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 257: "openat", 262: "newfstatat", 263: "unlinkat",
    264: "renameat", 270: "pselect", 271: "ppoll", 277: "sync_file_range", 281: "epoll_pwait", 285: "fallocate",
    288: "accept4", 295: "preadv", 296: "pwritev", 306: "syncfs", 316: "renameat2", 326: "copy_file_range",
    327: "preadv2", 328: "pwritev2", 332: "statx", 426: "io_uring_enter",
    9: "mmap", 10: "mprotect", 11: "munmap", 12: "brk", 13: "rt_sigaction", 14: "rt_sigprocmask", 16: "ioctl",
    21: "access", 24: "sched_yield", 25: "mremap", 28: "madvise", 39: "getpid", 56: "clone", 59: "execve", 60: "exit",
    84: "rmdir", 157: "prctl", 158: "arch_prctl", 186: "gettid", 218: "set_tid_address", 228: "clock_gettime",
    231: "exit_group", 233: "epoll_ctl", 273: "set_robust_list", 298: "perf_event_open", 302: "prlimit64",
    318: "getrandom", 319: "memfd_create", 334: "rseq", 435: "clone3",
}  # fmt: skip


def call_name(number: int) -> str:
    """Name of a system call; page faults have none, and are called that."""
    if number == -1:
        return "page fault"
    return _NAMES.get(number, f"system call {number}")
