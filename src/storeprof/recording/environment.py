"""What was true of this machine: kernel, CPUs, limits, and the counters of what others took from it."""

from __future__ import annotations

import mmap
import os
import platform
import resource
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Any


def usable_cpus() -> int:
    """CPUs this process may run on (affinity), at least 1."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def boot_id() -> str:
    """Identity of this boot, a part of every process identity; empty where the platform has none."""
    return (_text("/proc/sys/kernel/random/boot_id") or "").strip()


def describe_machine() -> dict[str, Any]:
    """What a reader needs to judge figures from this machine."""
    cpu = next((line for line in (_text("/proc/cpuinfo") or "").splitlines() if line.startswith("model name")), ":")
    memory = next((line for line in (_text("/proc/meminfo") or "").splitlines() if line.startswith("MemTotal")), None)
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": cpu.split(":", 1)[1].strip() or None,
        "cpus_online": os.cpu_count(),
        "cpus_usable": usable_cpus(),
        "memory_bytes": int(memory.split()[1]) * 1024 if memory else None,
        "boot_id": boot_id(),
        "load_average": list(os.getloadavg()),
        "minor_fault_ns": minor_fault_ns(),
        "small_object_ns": small_object_ns(),
    }


def minor_fault_ns(pages: int = 256, tries: int = 5) -> int:
    """What one fault on a fresh page costs here, in ns: the least of a few tries, each a MiB touched page by page.

    A virtual machine's cost is a few times that of bare metal, so it is measured, not assumed.
    """
    best = 1 << 62
    for _ in range(tries):
        with mmap.mmap(-1, pages * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as fresh:
            start = time.perf_counter_ns()
            fresh[:: mmap.PAGESIZE] = bytes(pages)
            best = min(best, time.perf_counter_ns() - start)
    return best // pages


def small_object_ns(count: int = 4000, tries: int = 5) -> float:
    """What making and freeing a small object costs CPython here, in ns: the least of a few tries.

    25 ns on one machine and 14 on another; how much of a function's time its objects take is told by it.
    """

    def with_objects() -> None:
        for number in repeat(None, count):
            [number]  # noqa: B018

    def without() -> None:
        for number in repeat(None, count):
            number  # noqa: B018

    def least(function: Callable[[], None]) -> int:
        return min(_elapsed_ns(function) for _ in range(tries))

    return max(1.0, round((least(with_objects) - least(without)) / count, 1))


def _elapsed_ns(function: Callable[[], None]) -> int:
    start = time.perf_counter_ns()
    function()
    return time.perf_counter_ns() - start


def cpu_contention() -> dict[str, int | None]:
    """Cumulative counters that explain starvation from outside.

    Returns busy and stolen CPU time of the whole machine in ns, and the cgroup's throttled time in ns; null where
    the kernel does not say.
    """
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    first = (_text("/proc/stat") or "").split("\n", 1)[0].split()
    busy = steal = None
    if len(first) >= 9 and first[0] == "cpu":
        values = [int(value) for value in first[1:]]
        busy = (values[0] + values[1] + values[2] + values[5] + values[6]) * tick
        steal = values[7] * tick
    return {"busy_ns": busy, "steal_ns": steal, "throttled_ns": _throttled_ns()}


def _throttled_ns() -> int | None:
    for line in (_text("/proc/self/cgroup") or "").splitlines():
        number, controllers, path = line.split(":", 2)
        folder = ("/sys/fs/cgroup" + path) if number == "0" else f"/sys/fs/cgroup/{controllers}{path}"
        for stat_line in (_text(f"{folder}/cpu.stat") or "").splitlines():
            key, _, value = stat_line.partition(" ")
            if key == "throttled_usec":
                return int(value) * 1000
            if key == "throttled_time":
                return int(value)
    return None


def children_cpu_s() -> float:
    """CPU time of the children that were waited for: a tool is, when it has stopped."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
