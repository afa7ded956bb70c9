"""The extension over include/storeprof/profile.hpp (native/recorder_module.cpp)."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, SupportsIndex, TypeVar, final, overload

# The whole type and not a ParamSpec: so a classmethod and an overloaded function stay what they are as well.
F = TypeVar("F", bound=Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any])

@final
class Scope:
    """What profile_scope and profile_operation return: a context manager, and a decorator of functions.

    One object per name: re-entrant, usable from several threads at once, cheap to ask for each time.
    Exceptions pass through; the scope is finished like any other.
    """

    def __enter__(self) -> Scope: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    def __call__(self, function: F, /) -> F: ...

@overload
def profile_function(function_or_name: str, /) -> Scope: ...
@overload
def profile_function(function_or_name: F, /) -> F:
    """Times every call of a function: `@profile_function` or `@profile_function("name")`.

    Works on functions, methods, and on staticmethod and classmethod on either side; put it below @property.
    Attributes (name, signature, docstring, annotations, __dict__) are the function's own, read and written,
    and it is pickled by name as functions are; `__wrapped__` is the function. Without a name it is
    recorded as `module.qualname` with file and first line (the file's stem in place of `__main__`).

    Of a generator or an async function only the creating call is timed in this version. CPython 3.12.1 limits
    recursion through any callable written in C: some 750 deep here, 500 through functools.lru_cache.
    Raises TypeError for anything but a callable or a str, ValueError for an empty name.
    """

def profile_scope(name: str, /) -> Scope:
    """A context manager that times its block under `name`.

    Raises TypeError when the name is not a str, ValueError when it is empty.
    """

@overload
def profile_operation(name_or_function: str, /) -> Scope: ...
@overload
def profile_operation(name_or_function: F, /) -> F:
    """An operation of the engine (a read, a write, a commit), said outright.

    `with profile_operation("put"):`, `@profile_operation("put")` or `@profile_operation`. Latency and
    tail are reported per operation. Of a generator or an async function only the creating call is timed.
    Raises TypeError for anything but a callable or a str, ValueError for an empty name.
    """

def profile_memory_alloc(type_name: str, bytes: SupportsIndex, /) -> None:
    """Counts one allocation of `bytes` bytes under `type_name`.

    Raises TypeError for a name that is not a str or bytes that are not an int, ValueError for negative bytes.
    """

def profile_memory_dealloc(type_name: str, bytes: SupportsIndex, /) -> None:
    """Counts one release of `bytes` bytes under `type_name`; any thread may release.

    Raises TypeError for a name that is not a str or bytes that are not an int, ValueError for negative bytes.
    """

def new_function(callable: F, name: bytes, file: bytes, line: int, operation: bool, /) -> F:
    """The callable, timed under that name (UTF-8). What `storeprof.probe._functions.wrap` ends in."""

def memory_fd() -> int:
    """The shared memory's descriptor, -1 when there is none."""

def gate(on: bool | None = None, /) -> bool:
    """Sets the gate when told, and says where it stands."""

def calibrate() -> float:
    """Measures the cost of one scope in ticks, stores it in the header, and returns it (0: no recorder)."""
