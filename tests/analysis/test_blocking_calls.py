"""CPU time inside calls that also wait for the disk."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from contexts import context, rows

from storeprof.analysis.accounting.blocking_calls import cpu_in_calls
from storeprof.analysis.accounting.charges import CPU, IO
from storeprof.analysis.accounting.stacks import Function
from storeprof.analysis.context import Context

SYNC, PACK, OWN_LOOP = range(3)  # stacks: a Python call of fsync, other Python code, a native loop without a call


def at(kind: str, *of: tuple[int, int, float]) -> Context:
    """A context of (category, stack, ms) rows; every stack has a place of its own in one function of this kind."""
    charges = rows(*((0, category, ms) for category, _, ms in of))
    stack = np.repeat([one for _, one, _ in of], 40)
    functions = [Function(kind, "flush", "f", 1, False, None)]
    places: Any = SimpleNamespace(functions=functions, places=lambda stack: (stack * 0, stack, stack * 0 - 1))
    charges = charges.with_stacks(stack)
    return replace(context(charges), stacks=places)


def seconds_in_calls(found: Context) -> float:
    """CPU seconds that go with the waits for the disk."""
    return round(found.seconds(cpu_in_calls(found, found.busy.category == IO)), 3)


def test_cpu_time_at_the_line_of_the_wait_goes_with_it() -> None:
    """What a sync takes of the CPU is part of its cost; other code of the function is not."""
    assert seconds_in_calls(at("python", (IO, SYNC, 300), (CPU, SYNC, 200), (CPU, PACK, 400))) == 0.2


def test_a_call_that_hardly_waits_is_cpu_time() -> None:
    """Buffered writes that block now and then stay a matter of the CPU."""
    assert seconds_in_calls(at("python", (IO, SYNC, 50), (CPU, SYNC, 200))) == 0.0


def test_native_lines_need_a_call() -> None:
    """A line of native code without a library's call below it may hold anything."""
    assert seconds_in_calls(at("native", (IO, OWN_LOOP, 300), (CPU, OWN_LOOP, 200))) == 0.0
