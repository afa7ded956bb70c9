"""Percentiles of operations and where operations stand in the scope tree."""

from __future__ import annotations

import numpy as np
import pytest

from storeprof.analysis.operations import Histogram, operation_roots
from storeprof.session.tabulate_scopes import bucket_edges


def histogram(counts: list[int]) -> Histogram:
    """Buckets of one second each."""
    low = np.arange(len(counts), dtype=float)
    return Histogram(low, low + 1, np.array(counts, dtype=float), float(len(counts)))


def test_a_percentile_is_found_within_its_bucket() -> None:
    """Linear interpolation between the edges of the bucket it falls into."""
    assert histogram([100, 100, 100, 100]).quantile(0.5) == pytest.approx(2.0)
    assert histogram([100, 300]).quantile(0.5) == pytest.approx(1 + 100 / 300)


def test_a_percentile_needs_ten_operations_beyond_it() -> None:
    """P99 of 900 operations is unknown, of 1,000 it is given."""
    assert histogram([900]).quantile(0.99) is None
    assert histogram([1000]).quantile(0.99) is not None


def test_buckets_are_a_sixteenth_of_an_octave() -> None:
    """The edges of the histogram follow docs/formats/shared-memory.md and leave no gap."""
    low, high = bucket_edges(np.arange(200))
    assert low[:17].tolist() == list(range(17))
    assert np.array_equal(high[:-1], low[1:])
    assert np.all((high - low)[16:] / low[16:] <= 1 / 16 + 1e-12)


def test_outermost_scopes_are_operations_and_drivers_pass_it_on() -> None:
    """Below a driver its children are the operations; what lies inside an operation belongs to it."""
    parent = {1: 0, 2: 1, 3: 2, 4: 0}
    assert operation_roots(parent, {1: 1, 2: 0, 3: 0, 4: 0}) == {1: 0, 2: 2, 3: 2, 4: 4}


def test_an_operation_said_outright_makes_drivers_of_what_encloses_it() -> None:
    """profile_operation is an operation wherever it stands."""
    parent = {1: 0, 2: 1, 3: 2}
    assert operation_roots(parent, {1: 0, 2: 0, 3: 2}) == {1: 0, 2: 0, 3: 3}
