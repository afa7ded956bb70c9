"""What removing a cost is worth: collections are CPU time, and a thread with slack holds nobody up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from contexts import context, rows

from storeprof.analysis.accounting.charges import CPU, DEPENDENCY, GC, GIL, IO, LOCK, RUN_QUEUE
from storeprof.analysis.accounting.parts import split_rows, widened
from storeprof.analysis.context import Context
from storeprof.analysis.gain import impact
from storeprof.recording.model import Recording


def test_collecting_garbage_is_cpu_time_whose_removal_frees_the_gil() -> None:
    """Waiting for the GIL shrinks with collections as with any other CPU time."""
    seen = context(rows((0, CPU, 3000), (0, GC, 2000), (0, GIL, 3000), (1, CPU, 2000), (1, GIL, 3000)))
    gain = impact(seen, seen.busy.category == GC).speedup.value
    assert gain == pytest.approx(1 / (1 - 0.25 * 1.6), rel=0.01)


def test_what_delays_a_thread_with_slack_gains_nothing() -> None:
    """A background thread that is idle most of the time may wait for the GIL: the foreground is no faster without."""
    seen = context(rows((0, CPU, 10000), (1, GIL, 3000), (1, CPU, 1000), (1, DEPENDENCY, 6000), idle=(3,)))
    assert impact(seen, seen.busy.category == GIL).speedup.value == pytest.approx(1.0)


def test_waits_of_threads_that_all_have_slack_still_count() -> None:
    """In a paced program every thread is idle now and then; its waits are its latency all the same."""
    seen = context(rows((0, CPU, 2000), (0, IO, 4000), (0, DEPENDENCY, 4000), idle=(2,)))
    assert impact(seen, seen.busy.category == IO).speedup.value == pytest.approx(3.0, rel=0.01)


def beside_others(of: Context, cpu_s: float) -> Context:
    """The same run while other programs used so many CPU seconds."""
    counted = {"before": {"busy_ns": 0}, "after": {"busy_ns": int((cpu_s + of.cpu_seconds) * 1e9)}}
    meta = {**of.recording.meta, "contention": counted, "processes": {"cpu_s": of.cpu_seconds}}
    return replace(of, recording=Recording(of.recording.folder, meta))


def test_what_other_programs_took_goes_with_the_waits_that_let_them_in() -> None:
    """Who queues after each sync gains that as well; a wait for a thread that queues is longer by it already."""
    seen = beside_others(context(rows((0, CPU, 2000), (0, IO, 2000), (0, RUN_QUEUE, 6000))), 16.0)
    assert seen.pushed_aside == pytest.approx(0.6)
    assert impact(seen, seen.busy.category == IO).speedup.value == pytest.approx(2.0, rel=0.01)
    locked = beside_others(context(rows((0, CPU, 2000), (0, LOCK, 2000), (0, RUN_QUEUE, 6000))), 16.0)
    assert impact(locked, locked.busy.category == LOCK).speedup.value == pytest.approx(1.25, rel=0.01)


def test_on_a_machine_of_its_own_a_program_is_pushed_aside_by_nobody() -> None:
    """Queueing that next to nobody else caused is the program's, as is that of threads that fill the CPUs."""
    seen = context(rows((0, CPU, 8000), (0, RUN_QUEUE, 2000)))
    assert beside_others(seen, 0.5).pushed_aside == 0
    assert beside_others(context(rows((0, CPU, 9000), (1, CPU, 9000), (0, RUN_QUEUE, 2000))), 12.0).pushed_aside == 0


def test_a_part_of_rows_is_sized_like_rows() -> None:
    """Splitting rows keeps their sums; a tenth of the CPU rows is a tenth of their share."""
    seen = context(rows((0, CPU, 8000), (0, IO, 2000)))
    split, mask = split_rows(seen, np.where(seen.busy.category == CPU, 0.1, 0.0))
    assert split.busy.weight_ns.sum() == pytest.approx(seen.busy.weight_ns.sum())
    assert split.share_of_busy(mask).value == pytest.approx(0.08)
    assert impact(split, mask).speedup.value == pytest.approx(1 / 0.92)


def test_a_counted_cost_has_the_interval_of_its_price() -> None:
    """Share and gain are widened by how much the price of one event may be off."""
    seen = context(rows((0, CPU, 8000), (0, IO, 2000)))
    mask = seen.busy.category == IO
    share, gain = widened(seen.share_of_busy(mask), impact(seen, mask), 0.5, 2.0)
    assert (share.low, share.value, share.high) == pytest.approx((0.1, 0.2, 0.4))
    assert gain.speedup.low == pytest.approx(1 / 0.9)
    assert gain.speedup.high == pytest.approx(1 / 0.6)
