"""When a hotspot is called allocation churn."""

from __future__ import annotations

import pytest

from storeprof.analysis.kinds.allocation_churn import Made, is_churn
from storeprof.analysis.memory.allocation_work import AllocationWork


def made(pieces_per_s: float, size: float = 90.0, life_s: float = 1e-5, kept: float = 0.0) -> Made:
    """What the hook saw in one second of the function's CPU time."""
    return Made(pieces_per_s, pieces_per_s * size, 1.0, life_s, kept, 30e-9)


@pytest.mark.parametrize(
    ("work", "seen", "expected"),
    [
        (AllocationWork(0.5, 0.1, 200), made(1e6), True),  # samples alone are sure
        (AllocationWork(0.4, 0.0, 20), made(1e6), False),  # too few of them to be sure
        (AllocationWork(0.3, 0.0, 40), made(9e6), True),  # so many objects take a quarter of the time
        (AllocationWork(0.1, 0.0, 40), made(9e6), False),  # both have to say so
        (AllocationWork(0.5, 0.1, 200), made(9e6, size=28.0), False),  # boxed numbers: arithmetic
        (AllocationWork(0.5, 0.1, 200), made(9e6, kept=0.9), False),  # what stays is data
        (AllocationWork(0.0, 0.0, 0), made(1e6, size=8192.0), True),  # buffers filled faster than anything computes
        (AllocationWork(0.5, 0.1, 200), None, False),  # of Python without the hook nothing is known
    ],
)
def test_python_functions_are_judged_by_samples_and_counts(work: AllocationWork, seen: Made, expected: bool) -> None:
    """Samples have to be sure, unless the number of objects says the same; numbers and data are none."""
    assert is_churn(work, seen, is_python=True) is expected


def test_native_functions_need_no_counts() -> None:
    """perf's samples of native code are enough."""
    assert is_churn(AllocationWork(0.5, 0.1, 100), None, is_python=False)
    assert not is_churn(AllocationWork(0.2, 0.6, 100), None, is_python=False)
