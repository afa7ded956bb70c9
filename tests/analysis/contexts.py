"""Contexts made of a few rows, for rules that need no recording."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from storeprof.analysis.accounting.charges import Charges, charges_of
from storeprof.analysis.accounting.looks import Looks
from storeprof.analysis.accounting.sightings import sightings
from storeprof.analysis.accounting.slack import slack_of
from storeprof.analysis.context import Context
from storeprof.analysis.intervals import Blocks
from storeprof.analysis.settings import Settings
from storeprof.recording.model import Recording

MS = 1_000_000


def rows(*of: tuple[int, int, float], idle: tuple[int, ...] = (), duration_ms: int = 10_000) -> Charges:
    """Charges of (thread, category, ms), each spread over the whole run; `idle`: which of them are waits for work."""
    each = 40
    count = len(of) * each
    number = np.repeat(np.arange(len(of)), each)
    thread, category, weight = (np.array([row[i] for row in of])[number] for i in range(3))
    zero = np.zeros(count, dtype=np.int64)
    looks = Looks(
        thread_ids=np.unique(thread),
        thread=thread.astype(np.int64),
        t_ns=np.tile((np.arange(each) * duration_ms * MS) // each, len(of)),
        weight_ns=weight * MS / each,
        reason_code=zero,
        stack=zero - 1,
        resource=zero - 1,
        holder=zero - 1,
        node=zero,
        op_seq=zero,
        quality_code=zero,
        syscall=zero - 2,
        gc=zero > 0,
        faults=zero,
    )
    seen = sightings(looks, zero[:0], zero[:0], zero[:0], start_ns=0)
    return charges_of(seen, np.arange(count), category, looks.weight_ns, np.isin(number, idle))


def context(charges: Charges, cores: int = 2, duration_ms: int = 10_000) -> Context:
    """A context of these rows alone; what needs stacks or tables is absent."""
    window = (0, duration_ms * MS)
    absent: Any = SimpleNamespace()
    return Context(
        recording=Recording(Path("none"), {"window": window}),
        settings=Settings(),
        stacks=absent,
        looks=charges.seen.looks,
        totals=absent,
        busy=charges.busy,
        blocks=Blocks(window),
        operations=absent,
        native=absent,
        slack=slack_of(charges),
        in_operations=charges.where(charges.op_seq != 0),
        process=np.zeros(len(charges.seen.looks.thread_ids), dtype=np.int64),
        cores=cores,
    )
