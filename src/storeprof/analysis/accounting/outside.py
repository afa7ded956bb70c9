"""What others took of the CPUs while the program ran: quota, hypervisor, other programs."""

from __future__ import annotations

from typing import Any

from storeprof.recording.model import Recording

START_AND_END_S = 0.7  # CPU time of storeprof's own start and end, which lie between the two readings as well


def outside_cpu_seconds(recording: Recording) -> tuple[float | None, float | None, float | None]:
    """CPU seconds lost to the cgroup's quota, to the hypervisor, and used by other programs; None where unknown."""
    contention: dict[str, dict[str, Any]] = recording.meta.get("contention") or {}
    before, after = contention.get("before") or {}, contention.get("after") or {}

    def grown(key: str) -> float | None:
        if before.get(key) is None or after.get(key) is None:
            return None
        return float((after[key] - before[key]) / 1e9)

    busy, own = grown("busy_ns"), _own_cpu_seconds(recording.meta)
    others = max(0.0, busy - own) if busy is not None and own is not None else None
    return grown("throttled_ns"), grown("steal_ns"), others


def crowded_share(recording: Recording) -> float | None:
    """Share of the usable CPUs that other programs and the hypervisor took meanwhile; None where unknown."""
    _, stolen, others = outside_cpu_seconds(recording)
    cores = (recording.meta.get("machine") or {}).get("cpus_usable")
    lived_s = (recording.meta["ended_ns"] - recording.meta["started_ns"]) / 1e9
    if others is None or not cores or lived_s <= 0:
        return None
    taken = max(0.0, others - START_AND_END_S) + (stolen or 0.0)
    share: float = taken / (cores * lived_s)
    return min(1.0, share)


def _own_cpu_seconds(meta: dict[str, Any]) -> float | None:
    """CPU time of the program, children included: of all, or (older recordings) of those it waited for."""
    whole = (meta.get("processes") or {}).get("cpu_s")
    usage = meta.get("rusage") or {}
    waited_for = usage["user_s"] + usage["system_s"] if usage.get("user_s") is not None else None
    return whole if whole is not None else waited_for
