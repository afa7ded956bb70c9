"""Looks apportion the kernel's control totals: sums are the kernel's, only their division is sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storeprof.analysis.accounting.charges import CPU, OTHER, RUN_QUEUE, SLEEP, Queueing, _filled, charge
from storeprof.analysis.accounting.looks import Looks, ThreadTime
from storeprof.analysis.accounting.sightings import Sightings, sightings
from storeprof.recording.schema import QUALITIES, REASONS

MS = 1_000_000


def looks(reasons: list[str], step_ms: int = 5) -> Sightings:
    """Looks at one thread, one every few ms."""
    count = len(reasons)
    none: np.ndarray[Any, Any] = np.full(count, -1)
    zero = np.zeros(count, dtype=np.int64)
    seen = Looks(
        thread_ids=np.array([77]),
        thread=zero,
        t_ns=(np.arange(count) + 1) * step_ms * MS,
        weight_ns=np.full(count, step_ms * MS, dtype=np.float64),
        reason_code=np.array([REASONS.index(reason) for reason in reasons]),
        stack=np.arange(count),
        resource=none,
        holder=none,
        node=zero,
        op_seq=zero,
        quality_code=np.full(count, QUALITIES.index("ok")),
        syscall=none,
        gc=np.zeros(count, dtype=bool),
        faults=zero,
    )
    return sightings(seen, zero[:0], zero[:0], zero[:0], start_ns=0)


def totals(*spans: tuple[float, float, float]) -> ThreadTime:
    """(wall, run, delay) in ms of consecutive intervals of one thread."""
    edges = np.concatenate([[0.0], np.cumsum([span[0] for span in spans])]) * MS
    return ThreadTime(
        thread=np.zeros(len(spans), dtype=np.int64),
        t0_ns=edges[:-1].astype(np.int64),
        t1_ns=edges[1:].astype(np.int64),
        run_ns=np.array([span[1] for span in spans]) * MS,
        delay_ns=np.array([span[2] for span in spans]) * MS,
    )


def weights(seen: Looks, kernel: ThreadTime) -> dict[int, float]:
    """Charged ms by category."""
    charged = charge(seen, kernel, np.zeros(len(seen.looks), dtype=bool))
    return {
        key: float(charged.weight_ns[charged.category == key].sum()) / MS
        for key in np.unique(charged.category).tolist()
    }


def test_running_looks_are_divided_as_the_kernel_says() -> None:
    """A look can't tell running from runnable; run time and run delay of the interval do."""
    charged = weights(looks(["running"] * 10 + ["sleep"] * 10), totals((100, 20, 30)))
    assert np.isclose(charged[CPU], 20)
    assert np.isclose(charged[RUN_QUEUE], 30)
    assert np.isclose(charged[SLEEP], 50)


def test_run_time_without_a_running_look_goes_to_the_threads_other_running_looks() -> None:
    """Bursts shorter than the look interval are not lost."""
    charged = weights(looks(["running"] * 10 + ["sleep"] * 10), totals((50, 50, 0), (50, 5, 0)))
    assert np.isclose(charged[CPU], 55)


def test_run_time_of_a_thread_never_seen_running_has_no_place() -> None:
    """It is counted, without a stack."""
    seen = looks(["sleep"] * 20)
    charged = charge(seen, totals((100, 10, 0)), np.zeros(20, dtype=bool))
    cpu = charged.category == CPU
    assert np.isclose(charged.weight_ns[cpu].sum(), 10 * MS)
    assert charged.stack[cpu].tolist() == [-1]


def test_a_delay_that_jumps_is_carried_back() -> None:
    """run_delay counts a whole wait when it ends: what does not fit an interval belongs to the one before."""
    charged = weights(looks(["running"] * 20), totals((50, 0, 0), (50, 10, 80)))
    assert np.isclose(charged[RUN_QUEUE], 80)
    assert np.isclose(charged[CPU], 10)


def test_unclaimed_blocked_time_is_other() -> None:
    """Blocked time that no look saw is charged, as other."""
    charged = weights(looks(["running"] * 20), totals((100, 40, 0)))
    assert np.isclose(charged[OTHER], 60)


def places(reasons: list[str], stacks: list[int], queueing: Queueing) -> dict[tuple[int, int], float]:
    """Charged ms by category and stack, of 100 ms with 20 on a CPU and 60 in its queue."""
    seen = looks(reasons, step_ms=100 // len(reasons))
    seen.looks.stack[:] = stacks
    charged = charge(seen, totals((100, 20, 60)), np.zeros(len(seen.looks), dtype=bool), queueing)
    found: dict[tuple[int, int], float] = {}
    for category, stack, weight in zip(
        charged.category.tolist(), charged.stack.tolist(), charged.weight_ns, strict=True
    ):
        found[category, stack] = found.get((category, stack), 0.0) + float(weight) / MS
    return found


SYNC, ELSEWHERE = 7, 8
LOADED = ["running"] * 12 + ["disk"] * 4 + ["running"] * 4, [SYNC] * 16 + [ELSEWHERE] * 4


def test_who_queues_after_a_wait_stands_where_it_waited() -> None:
    """Running looks at a place of waits are of a thread without a CPU, as far as its queueing follows waits."""
    charged = places(*LOADED, Queueing(np.array([1.0]), np.zeros(20, dtype=bool)))
    assert np.isclose(charged[RUN_QUEUE, SYNC], 60)
    assert np.isclose(charged[CPU, ELSEWHERE], 20)
    assert (CPU, SYNC) not in charged


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6), st.floats(0, 1))
def test_what_queues_after_waits_goes_where_the_waits_were(places: list[tuple[int, int]], part: float) -> None:
    """Places take it by their waits, none more than its running looks, and all of it finds room."""
    room, inflow = (np.array(column, dtype=np.float64) for column in zip(*places, strict=True))
    total = part * float(room[inflow > 0].sum())
    filled = _filled(room, inflow, total)
    assert np.isclose(filled.sum(), total, atol=1e-6)
    assert (filled <= room + 1e-9).all()
    assert (filled[inflow == 0] == 0).all()


def test_work_at_a_place_of_waits_is_told_by_perf() -> None:
    """Where perf's samples lie beside looks at a place, its part of the CPU time is theirs, waits or not."""
    reasons, stacks = ([one for one in column for _ in range(5)] for column in LOADED)
    sampled = np.zeros(100, dtype=bool)
    sampled[0:30:2] = sampled[80:90:2] = True
    charged = places(reasons, stacks, Queueing(np.array([1.0]), sampled))
    assert np.isclose(charged[CPU, SYNC], 15, rtol=0.05)
    assert np.isclose(charged[CPU, ELSEWHERE], 5, rtol=0.05)


@given(
    st.lists(
        st.tuples(
            st.floats(1, 500),
            st.floats(0, 1),
            st.floats(0, 1),
            st.lists(st.sampled_from(["running", "sleep", "disk"]), max_size=8),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_was_seen_the_charges_add_up_to_the_wall_time(
    spans: list[tuple[float, float, float, list[str]]],
) -> None:
    """The partition loses and invents nothing."""
    kernel = totals(*[(wall, wall * run, wall * (1 - run) * delay) for wall, run, delay, _ in spans])
    seen = looks([one for span in spans for one in span[3]] or ["running"])
    charged = charge(seen, kernel, np.zeros(len(seen.looks), dtype=bool))
    wall = float((kernel.t1_ns - kernel.t0_ns).sum())
    assert np.isclose(charged.weight_ns.sum(), wall, rtol=1e-6)
