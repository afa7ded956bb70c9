"""What Python adds to a scope that is only counted: measured once in a recorded process, in half a millisecond."""

import os
import struct
from collections.abc import Callable
from time import perf_counter_ns

from storeprof.probe import _recorder

BATCHES, CALLS = 8, 200
PYTHON_COSTS_AT = 136  # in the header (docs/formats/shared-memory.md)
NAME = "storeprof: what a probe costs"


def measure() -> None:
    """Tell the recorder what a decorated call, a `with` block and a memory tag cost beyond the recorder's own work."""

    def bare() -> None:
        pass

    wrapped = _recorder.new_function(bare, b"", b"", 0, False)
    _recorder.detach(wrapped)  # what is left of it is what Python adds
    was_on = _recorder.gate()
    _recorder.gate(False)  # while nobody else runs Python: nothing here is counted
    try:
        nothing = _least(_calls, bare)
        function = _least(_calls, wrapped)
        block = _least(_blocks, _recorder.profile_scope(NAME))
        tag = _least(_tags, None)
        empty = _least(_loop, None)
    finally:
        _recorder.gate(was_on)
    if (file := _recorder.memory_fd()) >= 0:
        costs = function - nothing, block - empty, tag - empty
        os.pwrite(file, struct.pack("<3Q", *(max(0, round(1000 * cost)) for cost in costs)), PYTHON_COSTS_AT)


def _least(timed: Callable[[object], None], what: object) -> float:
    """The cheapest batch, in ns a call."""
    best = 1e9
    for _ in range(BATCHES):
        start = perf_counter_ns()
        timed(what)
        best = min(best, (perf_counter_ns() - start) / CALLS)
    return best


def _calls(function: object) -> None:
    assert callable(function)
    for _ in range(CALLS):
        function()


def _blocks(scope: object) -> None:
    assert isinstance(scope, _recorder.Scope)
    for _ in range(CALLS):
        with scope:
            pass


def _tags(_: object) -> None:
    count = _recorder.profile_memory_alloc
    for _ in range(CALLS):
        count(NAME, 1)


def _loop(_: object) -> None:
    for _ in range(CALLS):
        pass
