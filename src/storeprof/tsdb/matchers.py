"""Conditions on labels, as in Prometheus: equal, not equal, and a regular expression over the whole value.

A label that a series does not have counts as the empty string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition; `value` is set when only that very value fulfils it, so that an index can look it up."""

    matches: Callable[[str], object]
    value: str | None = None


def equal(value: str) -> Matcher:
    """The label is `value`."""
    return Matcher(value.__eq__, value)


def not_equal(value: str) -> Matcher:
    """The label is anything but `value`."""
    return Matcher(value.__ne__)


def regex(pattern: str | re.Pattern[str]) -> Matcher:
    """The whole label matches `pattern`. Raises re.error when it is no regular expression."""
    return Matcher(re.compile(pattern).fullmatch)


Conditions = Mapping[str, "str | re.Pattern[str] | Matcher"]


def as_matcher(condition: str | re.Pattern[str] | Matcher) -> Matcher:
    """A bare string means equal, a compiled pattern means regex."""
    if isinstance(condition, Matcher):
        return condition
    return equal(condition) if isinstance(condition, str) else regex(condition)
