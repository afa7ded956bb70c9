"""Comprehensions and lambdas belong to the function that they stand in; a module's lambdas are functions like others.

CPython gives each of them a frame of its own (3.12 no longer for most comprehensions), so a cost would fall apart
into two functions, neither of which is what a person would name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

_OPERATOR = re.compile(r"\boperator[-<>=]{0,2}$")
_INSIDE = re.compile(r"(?:^|(?:\.<locals>)?\.)<(?:listcomp|setcomp|dictcomp|genexpr|lambda)>$")


def owner_of(function: str) -> str:
    """`Index.select.<locals>.<listcomp>` -> `Index.select`; a comprehension of a module -> `<module>`.

    A lambda of a module stays: it is called from elsewhere, and the module is no place to look at.
    """
    owner = function
    while owner != "<lambda>" and (found := _INSIDE.search(owner)):
        owner = owner[: found.start()] or "<module>"
    return owner


def without_template_arguments(function: str) -> str:
    """`kv::Codec<int, kv::Pair<A, B>>::encode<2>` -> `kv::Codec<>::encode<>`; operators keep their angle brackets."""
    result: list[str] = []
    depth = 0
    for letter in function:
        opens, closes = letter == "<", letter == ">"
        if depth == 0 and (opens or closes) and _OPERATOR.search("".join(result)):
            result.append(letter)
            continue
        if closes and depth:
            depth -= 1
        if depth == 0:
            result.append(letter)
        if opens:
            depth += 1
    return "".join(result) if depth == 0 else function


class FirstLines:
    """Where functions begin, by file and name, so that code inside them is given the same line."""

    def __init__(self, functions: Iterable[tuple[str | None, str, int | None]]) -> None:
        self._lines: dict[tuple[str | None, str], list[int]] = defaultdict(list)
        for file, function, first_line in functions:
            if first_line is not None:
                self._lines[file, function].append(first_line)

    def of_owner(self, file: str | None, owner: str, first_line: int | None) -> int | None:
        """First line of the function `owner` that encloses code beginning at `first_line`; that line if never seen."""
        before = [line for line in self._lines.get((file, owner), []) if first_line is None or line <= first_line]
        return max(before, default=first_line)
