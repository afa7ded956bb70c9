"""A cost that grows with what was done before is told from one that wavers, warms up, levels off or falls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storeprof.analysis.growth import ORDERS, Growth, fit_growth

Array = np.ndarray[Any, Any]
DONE = np.arange(1, 21) * 10_000.0 - 5_000.0


def fit(cost: Array, noise: float = 0.05, seed: int = 1) -> Growth | None:
    """The growth fitted to costs with some relative noise."""
    noisy = cost * np.random.default_rng(seed).lognormal(0.0, noise, len(cost))
    return fit_growth(DONE[: len(cost)], noisy, 1.0 / (0.05 * noisy) ** 2)


@pytest.mark.parametrize(("order", "power"), [("n", 1.0), ("n^2", 2.0), ("n^0.5", 0.5)])
def test_the_order_of_a_growing_cost_is_named(order: str, power: float) -> None:
    """Order and exponent are those by which the costs were made."""
    shape = ORDERS[order](DONE)
    growth = fit(2.0 + 8.0 * shape / shape[-1], noise=0.01)
    assert growth is not None
    assert growth.order == order
    assert growth.exponent[1] <= power <= growth.exponent[2]


def test_the_interval_of_the_exponent_covers_it() -> None:
    """In at least 90 of 100 noisy series that grow as n, the 95 % interval has 1."""
    fits = [fit(1.0 + 5.0 * DONE / DONE[-1], seed=seed) for seed in range(100)]
    assert all(fits)
    assert sum(one.exponent[1] <= 1.001 and one.exponent[2] >= 0.999 for one in fits if one) >= 90


def test_the_forecast_follows_the_order() -> None:
    """A cost that doubled with n operations is eleven times as high with ten times as many."""
    growth = fit(3.0 + 3.0 * DONE / DONE[-1], noise=0.01)
    assert growth is not None
    assert growth.cost(np.array([10.0 * DONE[-1]]))[0] == pytest.approx(33.0, rel=0.1)


@pytest.mark.parametrize(
    "cost",
    [
        np.full(20, 5.0),
        np.linspace(9.0, 4.0, 20),
        np.minimum(1.0 + np.arange(20) * 1.0, 7.0),
        5.0 * (1.0 - np.exp(-np.arange(1, 21) / 3.0)),
        4.0 + np.arange(20) % 5,
        np.repeat([4.0, 7.0], 10),
        np.minimum(1.0 + np.arange(8), 4.0),
    ],
    ids=["constant", "falling", "levels off", "warms up", "sawtooth", "one step", "levels off in eight"],
)
def test_what_does_not_grow_to_the_end_is_no_growth(cost: Array) -> None:
    """Nothing is fitted to costs that stay, fall, level off, warm up or come back, in 20 of 20 noisy series."""
    assert [fit(cost, seed=seed) for seed in range(20)] == [None] * 20


def test_noise_alone_is_hardly_ever_growth() -> None:
    """Of 200 series of a constant cost with a fifth of noise at most 5 % seem to grow."""
    assert sum(fit(np.full(20, 5.0), noise=0.2, seed=seed) is not None for seed in range(200)) <= 10


def test_a_few_counts_are_not_fitted() -> None:
    """Five points say nothing about an order."""
    assert fit(np.arange(1.0, 6.0)) is None
