"""Comprehensions and lambdas count for the function they stand in."""

from __future__ import annotations

import pytest

from storeprof.analysis.accounting.code_owner import FirstLines, owner_of


@pytest.mark.parametrize(
    ("function", "owner"),
    [
        ("Index.select.<locals>.<listcomp>", "Index.select"),
        ("Index.select.<locals>.<genexpr>.<locals>.<lambda>", "Index.select"),
        ("<lambda>", "<lambda>"),
        ("<genexpr>", "<module>"),
        ("<lambda>.<locals>.<listcomp>", "<lambda>"),
        ("Table.<listcomp>", "Table"),
        ("main.<locals>.writer", "main.<locals>.writer"),
        ("main", "main"),
    ],
)
def test_code_without_a_name_has_its_owners(function: str, owner: str) -> None:
    """What has no name is named after the function around it; inner functions and a module's lambdas are not."""
    assert owner_of(function) == owner


def test_the_owner_begins_where_it_was_seen_to_begin() -> None:
    """The nearest function of that name above the code gives its first line; one never seen gives none."""
    known = FirstLines([("a.py", "select", 10), ("a.py", "select", 50), ("b.py", "select", 20)])
    assert known.of_owner("a.py", "select", 30) == 10
    assert known.of_owner("a.py", "select", 60) == 50
    assert known.of_owner("a.py", "missing", 7) == 7
