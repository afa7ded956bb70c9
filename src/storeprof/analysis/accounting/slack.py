"""Time that threads had left over: idle waits, which are in no denominator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import Charges

Array = np.ndarray[Any, Any]

EVENT_CALLS = (232, 281, 441)  # epoll_wait, epoll_pwait, epoll_pwait2 (x86-64)


@dataclass(frozen=True)
class Slack:
    """Idle time per thread in seconds, and the part of it in an event loop's wait: arrays of shape (threads,)."""

    idle_s: Array
    event_loop_s: Array


def slack_of(charges: Charges) -> Slack:
    """What was idle of the charged time."""
    idle, threads = charges.where(charges.idle), len(charges.seen.looks.thread_ids)
    in_loop = np.isin(idle.syscall, EVENT_CALLS)
    return Slack(*(_seconds(idle.where(mask), threads) for mask in (np.ones(len(idle), dtype=bool), in_loop)))


def _seconds(rows: Charges, threads: int) -> Array:
    found: Array = np.bincount(rows.thread, weights=rows.weight_ns, minlength=threads) / 1e9
    return found
