"""The probe where there is no recorder (other systems than Linux): programs that carry it run, and nothing is timed."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar, overload

F = TypeVar("F")


class Scope:
    """A context manager and decorator that does nothing."""

    def __enter__(self) -> Scope:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Exceptions pass through."""

    def __call__(self, function: F, /) -> F:
        """The function as it is."""
        return function


_SCOPE = Scope()


@overload
def profile_function(function_or_name: str, /) -> Scope: ...
@overload
def profile_function(function_or_name: F, /) -> F: ...
def profile_function(function_or_name: Any, /) -> Any:
    """The function as it is, or a decorator that leaves it so."""
    return _SCOPE if isinstance(function_or_name, str) else function_or_name


def profile_scope(name: str, /) -> Scope:
    """A context manager that does nothing."""
    del name
    return _SCOPE


profile_operation = profile_function


def profile_memory_alloc(type_name: str, bytes: int, /) -> None:
    """Nothing is counted."""


profile_memory_dealloc = profile_memory_alloc
