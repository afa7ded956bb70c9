"""Identities that stay unique when recordings of many machines are put together."""

from __future__ import annotations

import hashlib


def _hash63(*parts: object) -> int:
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def process_id(boot: str, host_pid: int, start_ticks: int, exec_number: int) -> int:
    """`proc_id`: exec keeps pid and start time, so its number is part of the identity."""
    return _hash63(boot, host_pid, start_ticks, exec_number)


def thread_id(proc_id: int, tid: int, start_ticks: int) -> int:
    """`thread_id`: a tid can be used again within one process, its start time can't."""
    return _hash63(proc_id, tid, start_ticks)
