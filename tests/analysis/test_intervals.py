"""The block bootstrap: its intervals hold the truth about as often as they say."""

from __future__ import annotations

import numpy as np

from storeprof.analysis.intervals import BLOCK_NS, Blocks


def test_the_interval_covers_a_known_share() -> None:
    """Of 200 simulated runs with correlated blocks, the 95 % interval misses the truth in at most one of eight."""
    generator = np.random.default_rng(7)
    window = (0, 40 * BLOCK_NS)
    missed = 0
    for run in range(200):
        blocks = Blocks(window, seed=run)
        part = generator.binomial(50, generator.beta(30, 70, size=40))
        estimate = blocks.share(part.astype(float), np.full(40, 50.0))
        missed += not estimate.low <= 0.3 <= estimate.high
    assert missed <= 25


def test_a_share_of_nothing_is_zero() -> None:
    """Without any time there is no share, and no division by zero."""
    blocks = Blocks((0, 10 * BLOCK_NS))
    assert blocks.share(np.zeros(10), np.zeros(10)).value == 0.0


def test_a_run_of_a_second_is_too_short_for_an_interval() -> None:
    """Eight blocks of 250 ms are the least."""
    assert not Blocks((0, 1_000_000_000)).enough
    assert Blocks((0, 2_000_000_000)).enough
