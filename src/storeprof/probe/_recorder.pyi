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

    A generator, coroutine or asynchronous generator is timed from its first step to its last, with a scope
    `(suspended)` inside for the time it was not running (storeprof/probe/_tasks.py). CPython 3.12.1 limits
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
    tail are reported per operation.
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

def new_function(
    callable: F,
    name: bytes,
    file: bytes,
    line: int,
    operation: bool,
    driver: Callable[[object, Any], Any] | None = None,
    /,
) -> F:
    """The callable, timed under that name (UTF-8). What `storeprof.probe._functions.wrap` ends in.

    With a driver each call returns `driver(profiled function, what the callable returned)`, and the driver times it.
    `__profiled_calls__` of the result counts calls while the gate is on.
    """

def detach(function: object, /) -> bool:
    """Stop timing and counting a profiled function for good, whoever calls it; whether it was one."""

def when_over_budget(function: Callable[[], None], /) -> None:
    """Have it called in the main thread, every few milliseconds, while counting alone costs more than the budget."""

def task_enter(function: object, /) -> int:
    """Enter the scope of a profiled function; where it lies on the thread's stack, 0 when it is not taken."""

def task_suspend(index: int, awaits: bool, /) -> bytes:
    """Take all scopes from that place on off the thread's stack; `awaits`: what is below waits for them."""

def task_resume(kept: bytes, /) -> int:
    """Put them back, and count how long they were away; where they lie now, 0 when they are on another thread."""

def task_leave(index: int, /) -> None:
    """Leave the scope that lies there, and what is above it."""

def lock_calls(
    acquire: Callable[..., bool] = ..., release: Callable[[], None] = ..., of: object = ..., /
) -> tuple[Any, Any]:
    """A lock's two methods, which also count and time how long it is waited for and held.

    `of`: the lock's name (UTF-8), or one of these methods of it, to share what it knows.

    The second one called with one argument lets go of it however often it was taken. Without arguments: what stands
    for `__enter__` and `__exit__` on a type whose objects have `acquire` and `release`.
    """

def memory_fd() -> int:
    """The shared memory's descriptor, -1 when there is none."""

def gate(on: bool | None = None, /) -> bool:
    """Sets the gate when told, and says where it stands."""
