"""When growth is called a leak: resident memory, and what the samples of allocations can say of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from storeprof.analysis.intervals import Estimate
from storeprof.analysis.kinds.memory_leak import HOOK, Evidence, Trace, _verdict
from storeprof.analysis.memory.growth import LEAK, MORE_TIME, NO_LEAK, Growth

RESIDENT = Estimate(1e6, 0.9e6, 1.1e6)


def verdict(mean_bytes: int, resident: str, steadiness: float = 1.0) -> str:
    """Of a run of 8 s that grows by 1 MB/s, of which no sampled allocation stayed."""
    hook = {"name": HOOK, "mean_bytes": mean_bytes}
    recording = SimpleNamespace(meta={"collectors": [hook]}, duration_s=8.0)
    context = cast(Any, SimpleNamespace(allocations=[1], recording=recording))
    return _verdict(context, Evidence(Trace(np.zeros(1), np.zeros(1)), 8.0, Growth(resident, RESIDENT, steadiness), []))


@pytest.mark.parametrize(
    ("mean_bytes", "resident", "expected"),
    [
        (2 << 20, LEAK, LEAK),  # 2.5 samples were to be expected: none of them denies nothing
        (64 << 10, LEAK, MORE_TIME),  # 80 were
        (2 << 20, MORE_TIME, MORE_TIME),
        (2 << 20, NO_LEAK, NO_LEAK),
    ],
)
def test_samples_deny_a_leak_only_where_some_were_to_be_expected(mean_bytes: int, resident: str, expected: str) -> None:
    """Growth that is steady to the end is a leak where the samples are too sparse to see it either way."""
    assert verdict(mean_bytes, resident) == expected
