"""What a look adds to the operation it falls into is told from operations that nobody looked at."""

from __future__ import annotations

import numpy as np

from storeprof.analysis.accounting.look_cost import FEWEST, LookCost, look_cost

US = 1e-6


def lengths(rng: np.random.Generator, count: int) -> np.ndarray:
    """Operations of 100 us, every fiftieth of 4 ms."""
    return np.where(rng.random(count) < 0.02, 4000, 100) * US * rng.lognormal(0, 0.1, count)


def looked_at(rng: np.random.Generator, count: int, cost_s: float) -> np.ndarray:
    """Operations that a look falls into: the longer, the likelier; each longer by what the look takes."""
    every = lengths(rng, 200_000)
    return rng.choice(every, count, p=every / every.sum()) + cost_s


def test_what_a_look_adds_is_found() -> None:
    """45 us that every look adds are found to a few us, nothing where nothing is added."""
    for seed, cost_us in ((1, 45), (2, 45), (3, 0)):
        rng = np.random.default_rng(seed)
        hit, others = looked_at(rng, 300, cost_us * US), lengths(rng, 600)
        found = look_cost(hit, np.ones(300), others, np.ones(600))
        assert abs(found.usual_s / US - cost_us) < 6, found


def test_too_few_operations_say_nothing() -> None:
    """Below twenty operations of a sort no correction is made."""
    few, many = np.full(FEWEST - 1, 2e-4), np.full(100, 1e-4)
    assert look_cost(few, np.ones(len(few)), many, np.ones(100)) == LookCost()
    assert look_cost(many, np.ones(100), few, np.ones(len(few))) == LookCost()
