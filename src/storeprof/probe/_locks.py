"""Locks with names: who waits for one, how long, how long it is held, and by whom.

`name_lock` only writes the lock's address with a name: a wait is seen from outside, by the address the system call
waits at. That address is where CPython 3.11 to 3.13 keeps the lock of a `threading.Lock` or `RLock`. `Lock`, `RLock`
and `Condition` also count and time what is done with them.
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

    Waits for it are then told by name; how long it is held is known of `storeprof.Lock` and its like alone. Raises
    TypeError for anything that is no `threading.Lock`, `RLock` or `Condition`, ValueError for an empty name.
    """
    import threading
    from ctypes import c_void_p

    if not isinstance(name, str) or not name:
        raise ValueError(f"name_lock needs a name that is not empty, not {name!r}")
    for attribute in ("mutex", "_lock", "_lock"):  # a queue's; a condition's; one of ours
        lock = getattr(lock, attribute, lock)
    if type(lock) not in (type(threading.Lock()), type(threading.RLock())):
        raise TypeError(f"name_lock needs a threading.Lock, RLock, Condition or queue, not {type(lock).__name__}")
    known = sys.platform == "linux" and sys.implementation.name == "cpython"
    if known and (3, 11) <= sys.version_info[:2] <= (3, 13):
        address = c_void_p.from_address(id(lock) + LOCK_AT).value or 0
        text = name.encode("utf-8", "backslashreplace")
        _recorder.new_function(name_lock, text, f"{LOCK}{address:x}".encode(), 0, False)


if sys.platform == "linux":
    from storeprof.probe import _recorder

    class _Lock:
        """A lock that counts and times what is done with it; otherwise it does what the lock inside does."""

        __slots__ = ("__weakref__", "_lock", "acquire", "locked", "release")
        __enter__, __exit__ = _recorder.lock_calls()

        def __init__(self, lock: Any, name: str) -> None:
            name_lock(lock, name)
            self._lock = lock
            written = name.encode("utf-8", "backslashreplace")
            self.acquire, self.release = _recorder.lock_calls(lock.acquire, lock.release, written)
            if hasattr(lock, "locked"):
                self.locked = lock.locked

        def __repr__(self) -> str:
            return f"<storeprof lock over {self._lock!r}>"

        def _at_fork_reinit(self) -> None:
            self._lock._at_fork_reinit()

    class _RLock(_Lock):
        """Of an RLock: a condition that waits gives it back as a whole, however often it was taken."""

        __slots__ = ("_let_go", "_take")

        def __init__(self, lock: Any, name: str) -> None:
            super().__init__(lock, name)
            self._take, self._let_go = _recorder.lock_calls(_yes, _nothing, self.acquire)

        def _is_owned(self) -> bool:
            owned: bool = self._lock._is_owned()
            return owned

        def _release_save(self) -> Any:
            self._let_go(True)
            return self._lock._release_save()

        def _acquire_restore(self, saved: Any) -> None:
            self._lock._acquire_restore(saved)
            for _ in range(saved[0]):
                self._take()

    def _yes(_: object) -> bool:
        return True

    def _nothing() -> None:
        pass


def Lock(name: str) -> Any:  # noqa: N802 (spelled as threading does)
    """A `threading.Lock` with a name for reports, which say how long it is waited for and held, and where."""
    import threading

    return _Lock(threading.Lock(), name) if sys.platform == "linux" else threading.Lock()


def RLock(name: str) -> Any:  # noqa: N802
    """A `threading.RLock` with a name for reports, as `Lock` is."""
    import threading

    return _RLock(threading.RLock(), name) if sys.platform == "linux" else threading.RLock()


def Condition(name: str, lock: Any = None) -> Any:  # noqa: N802
    """A `threading.Condition` whose lock has a name for reports; a lock that is given is only named."""
    import threading

    condition = threading.Condition(lock or RLock(name))
    if lock:
        name_lock(condition, name)
    return condition
