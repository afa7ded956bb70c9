"""Memory that one function makes and its caller frees is one cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from storeprof.analysis.accounting.charges import CPU
from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.memory.thrown_away import thrown_away

NAMES = ("main", "Rows::field", "Rows::split", "cfree", "operator new", "operator delete")
MAIN, FIELD, SPLIT, FREE, NEW, DELETE = range(6)


def made(*stacks: tuple[float, tuple[int, ...]]) -> Any:
    """A context of stacks (root first) of the program's functions and the allocator's, each with its seconds."""
    functions = [SimpleNamespace(name=name, kind="native", library=at >= FREE) for at, name in enumerate(NAMES)]
    frames = [tuple(SimpleNamespace(function=at) for at in reversed(stack)) for _, stack in stacks]
    known = SimpleNamespace(functions=functions, frames=lambda stack: frames[stack])
    known.own_frames = lambda stack: Stacks.own_frames(known, stack)  # type: ignore[arg-type]
    own = [next(at for at in reversed(stack) if at < FREE) for _, stack in stacks]
    weight = np.array([seconds * 1e9 for seconds, _ in stacks])
    busy = SimpleNamespace(stack=np.arange(len(stacks)), weight_ns=weight, category=np.full(len(stacks), CPU))
    return SimpleNamespace(stacks=known, busy=busy, function=np.array(own))


SPLITS = [(3.0, (MAIN, FIELD, SPLIT, NEW)), (2.0, (MAIN, FIELD, SPLIT))]


def test_a_caller_that_frees_what_it_was_given_pays_for_the_callee() -> None:
    """Its freeing counts where the memory is made; the rest of it does not."""
    context = made(*SPLITS, (1.0, (MAIN, FIELD, DELETE, FREE)), (0.5, (MAIN, FIELD, FREE)), (0.4, (MAIN, FIELD)))
    found = thrown_away(context, SPLIT, context.function == SPLIT)
    assert found is not None
    assert found.caller == FIELD
    assert found.rows.tolist() == [False, False, True, True, False]


@pytest.mark.parametrize(
    "others",
    [
        [(1.0, (MAIN, FIELD, FREE)), (2.0, (MAIN, FIELD))],  # it does other work
        [(1.0, (MAIN, FIELD, FREE)), (0.5, (MAIN, FIELD, NEW))],  # it makes what it frees
        [(1.0, (MAIN, FIELD, FREE)), (2.0, (MAIN, SPLIT, NEW))],  # others call the function too
        [(1.0, (MAIN, FREE))],  # it frees nothing
    ],
)
def test_a_caller_with_costs_of_its_own_keeps_them(others: list[tuple[float, tuple[int, ...]]]) -> None:
    """Freeing belongs to the callee only where the caller hardly does anything else, and nobody else calls it."""
    context = made(*SPLITS, *others)
    assert thrown_away(context, SPLIT, context.function == SPLIT) is None
