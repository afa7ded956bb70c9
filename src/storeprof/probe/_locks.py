"""Locks with names: a wait for one is reported under its name instead of its address.

Nothing is added to taking and releasing a lock: who waits for what is seen from outside, by the address the system call
waits at. That address is where CPython 3.11 to 3.13 keeps the lock of a `threading.Lock` or `RLock`.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # type checkers know this name; importing it, or `typing`, would take longer than all the rest
if TYPE_CHECKING:
    from typing import Any

LOCK = "storeprof:lock@"  # in place of a file (docs/formats/shared-memory.md)
LOCK_AT = 16  # bytes into the object, behind its reference count and type


def name_lock(lock: Any, name: str) -> None:
    """Give a lock, a condition's lock or a queue's a name for reports. The lock should live as long as the program.

    Raises TypeError for anything that is no `threading.Lock`, `RLock` or `Condition`, ValueError for an empty name.
    """
    import threading
    from ctypes import c_void_p

    if not isinstance(name, str) or not name:
        raise ValueError(f"name_lock needs a name that is not empty, not {name!r}")
    for attribute in ("mutex", "_lock"):  # a queue's; a condition's
        lock = getattr(lock, attribute, lock)
    if type(lock) not in (type(threading.Lock()), type(threading.RLock())):
        raise TypeError(f"name_lock needs a threading.Lock, RLock, Condition or queue, not {type(lock).__name__}")
    known = sys.platform == "linux" and sys.implementation.name == "cpython"
    if known and (3, 11) <= sys.version_info[:2] <= (3, 13):
        from storeprof.probe import _recorder

        address = c_void_p.from_address(id(lock) + LOCK_AT).value or 0
        text = name.encode("utf-8", "backslashreplace")
        _recorder.new_function(name_lock, text, f"{LOCK}{address:x}".encode(), 0, False)


def Lock(name: str) -> Any:  # noqa: N802 (spelled as threading does)
    """A `threading.Lock` with a name for reports."""
    import threading

    lock = threading.Lock()
    name_lock(lock, name)
    return lock


def RLock(name: str) -> Any:  # noqa: N802
    """A `threading.RLock` with a name for reports."""
    import threading

    lock = threading.RLock()
    name_lock(lock, name)
    return lock


def Condition(name: str, lock: Any = None) -> Any:  # noqa: N802
    """A `threading.Condition` whose lock has a name for reports."""
    import threading

    condition = threading.Condition(lock)
    name_lock(condition, name)
    return condition
