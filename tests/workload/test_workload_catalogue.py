"""A workload is what its description says, and a seed decides all of it."""

from collections import Counter

import pytest

from storeprof.engines.registry import ENGINES, find_engine
from storeprof.errors import UsageError
from storeprof.workload.catalogue import WORKLOADS, Kind, find_workload, plan, series_of


def operations(batches):
    """All operations of a plan as (kind, labels, value)."""
    return [(kind, labels, value) for batch in batches for kind, row in batch for labels, value in row]


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_equal_seeds_give_equal_plans(name):
    """The same seed and thread give the same plan; another seed or another thread gives another."""
    workload = find_workload(name)
    assert plan(workload, 1, 0, 2) == plan(workload, 1, 0, 2)
    assert plan(workload, 1, 0, 2) != plan(workload, 2, 0, 2)
    assert plan(workload, 1, 0, 2) != plan(workload, 1, 1, 2)


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("write-heavy", {Kind.WRITE: 0.95, Kind.READ: 0.05}),
        ("mixed", {Kind.WRITE: 0.5, Kind.READ: 0.4, Kind.QUERY: 0.1}),
    ],
)
def test_operations_have_their_shares(name, shares):
    """The shares of writes, reads and queries are those of the catalogue within one percent point."""
    kinds = Counter(kind for kind, _, _ in operations(plan(find_workload(name), 1, 0, 1)))
    assert set(kinds) == set(shares)
    for kind, share in shares.items():
        assert kinds[kind] / kinds.total() == pytest.approx(share, abs=0.01)


def test_a_series_has_one_writer():
    """No two threads write the same series, and together they write all."""
    workload = find_workload("mixed")
    written = [
        {tuple(labels.items()) for kind, labels, _ in operations(plan(workload, 1, thread, 3)) if kind is Kind.WRITE}
        for thread in range(3)
    ]
    assert sum(len(one) for one in written) == len(set().union(*written)) == len(series_of(workload))


def test_queries_find_series():
    """Each query's labels are those of some series."""
    workload = find_workload("mixed")
    for kind, labels, _ in operations(plan(workload, 1, 0, 1)):
        if kind is Kind.QUERY:
            assert any(labels.items() <= series.items() for series in series_of(workload))


def test_unknown_names_are_answered_with_the_known_ones():
    """An unknown engine or workload is a usage error that lists the known names."""
    with pytest.raises(UsageError, match=", ".join(sorted(ENGINES))):
        find_engine("nothing")
    with pytest.raises(UsageError, match="mixed, write-heavy"):
        find_workload("nothing")
